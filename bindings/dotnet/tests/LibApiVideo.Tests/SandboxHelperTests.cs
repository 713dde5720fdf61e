using System;
using System.IO;
using System.Runtime.InteropServices;
using LibApiVideo.Testing;

namespace LibApiVideo.Tests
{
    /// <summary>The helper that a user's tests start a local api.video with.</summary>
    public class SandboxHelperTests
    {
        private static readonly string s_program = Environment.GetEnvironmentVariable("APIVIDEO_TEST_SANDBOX")
            ?? Path.Combine(Environment.GetEnvironmentVariable("APIVIDEO_TEST_ROOT")!, "target/release/apivideo-sandbox");

        private static void With(string variable, string? value, Action act)
        {
            string? before = Environment.GetEnvironmentVariable(variable);
            Environment.SetEnvironmentVariable(variable, value);
            try
            {
                act();
            }
            finally
            {
                Environment.SetEnvironmentVariable(variable, before);
            }
        }

        private static void GetsAToken()
        {
            using (ApiVideoSandbox sandbox = ApiVideoSandbox.Start("--expires-in 60"))
            using (var client = new ApiVideoClient(sandbox.ApiKey, new ApiVideoClientOptions { BaseUrl = sandbox.BaseUrl }))
            {
                Assert.Equal(TimeSpan.FromMinutes(1), client.GetToken().Lifetime);
            }
        }

        [Test]
        public void TheProgramIsTheOneThatTheEnvironmentNames() => With("APIVIDEO_SANDBOX", s_program, GetsAToken);

        [Test]
        public void OrTheOneOnPath() => With("APIVIDEO_SANDBOX", null, () =>
            With("PATH", "/no/such/folder" + Path.PathSeparator + Path.GetDirectoryName(s_program), GetsAToken));

        [Test]
        public void WhereThereIsNoneTheExceptionSaysWhereToGetIt()
        {
            With("APIVIDEO_SANDBOX", "/no/such/program", () => Assert.Contains("/no/such/program", Assert.Throws<FileNotFoundException>(() => ApiVideoSandbox.Start()).Message));
            With("APIVIDEO_SANDBOX", null, () => With("PATH", "", () =>
                Assert.Contains("make sandbox", Assert.Throws<FileNotFoundException>(() => ApiVideoSandbox.Start()).Message)));
        }

        [Test]
        public void WhatKeepsItFromStartingIsSaid() => With("APIVIDEO_SANDBOX", s_program, () =>
            Assert.Contains("--nonsense", Assert.Throws<InvalidOperationException>(() => ApiVideoSandbox.Start("--nonsense")).Message));

        /// <summary>Runs it with a shell script for the program.</summary>
        private static void WithScript(string script, Action act)
        {
            string file = Path.GetTempFileName();
            File.WriteAllText(file, script);
            using (var chmod = System.Diagnostics.Process.Start("chmod", "+x " + file))
            {
                chmod!.WaitForExit();
            }
            With("APIVIDEO_SANDBOX", file, act);
            File.Delete(file);
        }

        [Test]
        public void AProgramThatSaysSomethingElseIsNotWaitedFor()
        {
            // Its program is a script for a shell.
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            {
                return;
            }
            // The second one's child holds the pipes, and outlives it.
            foreach (string ending in new[] { "echo hello\nexec sleep 100", "sleep 100 &\necho hello\nwait" })
            {
                var watch = System.Diagnostics.Stopwatch.StartNew();
                WithScript($"#!/bin/sh\necho why >&2\n{ending}\n", () =>
                    Assert.Contains("It said: why", Assert.Throws<InvalidOperationException>(() => ApiVideoSandbox.Start()).Message));
                Assert.True(watch.Elapsed < TimeSpan.FromSeconds(40), "it does not take long");
            }
        }

        [Test]
        public void ItNeverWaitsForAReader()
        {
            // Its program is a script for a shell.
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            {
                return;
            }
            string through = Path.GetTempFileName();
            File.Delete(through);
            const string much = "head -c 1000000 /dev/zero | tr '\\0' '\\n'";
            WithScript($"#!/bin/sh\necho apivideo-sandbox listening on http://127.0.0.1:1\n{much}\n{much} >&2\necho >{through}\nexec cat\n", () =>
            {
                using (ApiVideoSandbox.Start())
                {
                    Assert.Eventually(() => File.Exists(through), "all is said");
                }
            });
            File.Delete(through);
        }

        [Test]
        public void ItEndsWhenItIsDisposed() => With("APIVIDEO_SANDBOX", s_program, () =>
        {
            ApiVideoSandbox sandbox = ApiVideoSandbox.Start();
            using (ApiVideoClient client = Sandbox.Client(o => o.BaseUrl = sandbox.BaseUrl))
            {
                client.GetToken();
                sandbox.Dispose();
                Assert.Eventually(() => IsGone(client), "nobody answers there");
            }
        });

        private static bool IsGone(ApiVideoClient client)
        {
            try
            {
                client.Authenticate();
                return false;
            }
            catch (ApiVideoNetworkException)
            {
                return true;
            }
        }
    }
}
