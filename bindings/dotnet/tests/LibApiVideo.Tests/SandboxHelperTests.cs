using System;
using System.IO;
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
