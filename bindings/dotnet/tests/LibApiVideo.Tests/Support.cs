using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    internal sealed class AssertionException : Exception
    {
        internal AssertionException(string message) : base(message)
        {
        }
    }

    internal static class Assert
    {
        internal static void True(bool condition, string what)
        {
            if (!condition)
            {
                throw new AssertionException("It is not so that " + what);
            }
        }

        internal static void Equal<T>(T expected, T actual, string what = "the value")
        {
            if (!EqualityComparer<T>.Default.Equals(expected, actual))
            {
                throw new AssertionException($"{what} is {actual}, not {expected}");
            }
        }

        internal static void Contains(string part, string whole)
        {
            if (whole.IndexOf(part, StringComparison.Ordinal) < 0)
            {
                throw new AssertionException($"'{part}' is not in '{whole}'");
            }
        }

        internal static void Lacks(string secret, string whole, string what)
        {
            if (whole.IndexOf(secret, StringComparison.Ordinal) >= 0)
            {
                throw new AssertionException($"{what} holds a secret");
            }
        }

        internal static T Throws<T>(Action act) where T : Exception
        {
            try
            {
                act();
            }
            catch (T e)
            {
                return e;
            }
            catch (Exception e)
            {
                throw new AssertionException($"Not {typeof(T).Name} but: {e}");
            }
            throw new AssertionException($"No {typeof(T).Name}");
        }

        internal static T Throws<T>(Task task) where T : Exception => Throws<T>(() => task.GetAwaiter().GetResult());

        /// <summary>
        /// Waits for what must come; how long that takes is not the point, so the limit is far
        /// away.
        /// </summary>
        internal static void Eventually(Func<bool> condition, string what)
        {
            var watch = Stopwatch.StartNew();
            while (!condition())
            {
                True(watch.Elapsed < TimeSpan.FromSeconds(60), what + ", after a minute");
                Thread.Sleep(2);
            }
        }
    }

    /// <summary>The local api.video, and what can be made to go wrong there.</summary>
    internal static class Sandbox
    {
        internal const string Key = "sandbox-key";

        internal static readonly string Url = Environment.GetEnvironmentVariable("APIVIDEO_TEST_URL")
            ?? throw new InvalidOperationException("APIVIDEO_TEST_URL must name a running apivideo-sandbox; test.sh starts one.");

        private static readonly HttpClient s_http = new HttpClient();

        internal static void Reset() => Control(HttpMethod.Post, "reset");

        internal static void Fault(string rule) => Control(HttpMethod.Post, "faults", rule);

        internal static void ClearFaults() => Control(HttpMethod.Delete, "faults");

        internal static void Settings(string settings) => Control(HttpMethod.Post, "settings", settings);

        internal static void Outage(int seconds, string mode = "503") =>
            Control(HttpMethod.Post, "outage", $"{{\"seconds\":{seconds},\"mode\":\"{mode}\"}}");

        internal static void Revoke(string what) => Control(HttpMethod.Post, "revoke", $"{{\"what\":\"{what}\"}}");

        /// <summary>Requests of a kind that arrived: "api_key", "refresh" or "videos".</summary>
        internal static int Requests(string kind) => Counter(kind, "requests");

        internal static int Counter(string kind, string counter)
        {
            Match match = Regex.Match(Control(HttpMethod.Get, "counters"), $"\"{kind}\":{{[^}}]*\"{counter}\":(\\d+)");
            return int.Parse(match.Groups[1].Value);
        }

        internal static string Log() => Control(HttpMethod.Get, "log");

        /// <summary>
        /// Nothing that asks for a token is answered, until the connection is closed.
        /// </summary>
        internal static void Hang() => Fault("{\"on\":\"auth\",\"times\":0,\"fault\":{\"kind\":\"hang\",\"handled\":false}}");

        internal static ApiVideoClient Client(Action<ApiVideoClientOptions>? configure = null, string key = Key)
        {
            var options = new ApiVideoClientOptions { BaseUrl = Url };
            configure?.Invoke(options);
            return new ApiVideoClient(key, options);
        }

        internal static string Control(HttpMethod method, string path, string? json = null)
        {
            using (var request = new HttpRequestMessage(method, $"{Url}/_sandbox/{path}"))
            {
                if (json != null)
                {
                    request.Content = new StringContent(json, Encoding.UTF8, "application/json");
                }
                using (HttpResponseMessage response = s_http.SendAsync(request).GetAwaiter().GetResult())
                {
                    string body = response.Content.ReadAsStringAsync().GetAwaiter().GetResult();
                    Assert.True(response.IsSuccessStatusCode, $"the sandbox takes {path}: {body}");
                    return body;
                }
            }
        }
    }

    internal static class Many
    {
        /// <summary>
        /// Runs it on so many threads that begin together, and gives what each got or threw.
        /// </summary>
        internal static List<object> Threads(int count, Func<object> act, Action? meanwhile = null)
        {
            var outcomes = new object[count];
            using (var together = new Barrier(count + 1))
            {
                Thread[] threads = Enumerable.Range(0, count).Select(i => new Thread(() =>
                {
                    together.SignalAndWait();
                    try
                    {
                        outcomes[i] = act();
                    }
                    catch (Exception e)
                    {
                        outcomes[i] = e;
                    }
                })).ToArray();
                foreach (Thread thread in threads)
                {
                    thread.Start();
                }
                together.SignalAndWait();
                meanwhile?.Invoke();
                foreach (Thread thread in threads)
                {
                    thread.Join();
                }
            }
            return outcomes.ToList();
        }
    }

    /// <summary>This program as another process.</summary>
    internal sealed class ChildProcess
    {
        internal int ExitCode { get; private set; }

        internal string Output { get; private set; } = "";

        internal static ChildProcess Run(string what, string? libraryPath, string? program = null, Action? onFirstLine = null)
        {
            program ??= typeof(ChildProcess).Assembly.Location;
            string host = Process.GetCurrentProcess().MainModule!.FileName!;
            var start = new ProcessStartInfo(host, $"\"{program}\" child {what}") { RedirectStandardOutput = true, UseShellExecute = false };
            start.EnvironmentVariables.Remove("LIBAPIVIDEO_PATH");
            if (libraryPath != null)
            {
                start.EnvironmentVariables["LIBAPIVIDEO_PATH"] = libraryPath;
            }
            using (Process process = Process.Start(start)!)
            {
                string? first = process.StandardOutput.ReadLine();
                onFirstLine?.Invoke();
                string output = first + "\n" + process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                return new ChildProcess { ExitCode = process.ExitCode, Output = output };
            }
        }
    }

    /// <summary>A stream that can be read once, as one from the network.</summary>
    internal sealed class OnceStream : MemoryStream
    {
        internal OnceStream(byte[] bytes) : base(bytes)
        {
        }

        public override bool CanSeek => false;
    }

    internal static class Library
    {
        internal static string Path => Environment.GetEnvironmentVariable("LIBAPIVIDEO_PATH")
            ?? throw new InvalidOperationException("LIBAPIVIDEO_PATH must name the native library; test.sh sets it.");

        /// <summary>A file of the repository.</summary>
        internal static string Source(string path)
        {
            string root = Environment.GetEnvironmentVariable("APIVIDEO_TEST_ROOT")
                ?? throw new InvalidOperationException("APIVIDEO_TEST_ROOT must name the repository's root; test.sh sets it.");
            return File.ReadAllText(System.IO.Path.Combine(root, path));
        }
    }
}
