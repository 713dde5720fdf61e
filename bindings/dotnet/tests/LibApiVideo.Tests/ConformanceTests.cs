using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    /// <summary>
    /// Plays bindings/conformance/unauthorized.json; the README beside it says how.
    /// </summary>
    public class ConformanceTests
    {
        private static readonly string s_table = Library.Source("bindings/conformance/unauthorized.json");

        [Test]
        public void The401Rule() => PlayAll((http, request) => http.SendAsync(request).GetAwaiter().GetResult());

#if NETCOREAPP && !NETCOREAPP3_1
        [Test]
        public void The401RuleWithSynchronousRequests() => PlayAll((http, request) => http.Send(request));
#endif

        [Test]
        public void TheTokenGoesToTheApisOriginOnly()
        {
            using (ApiVideoClient client = Sandbox.Client())
            using (JsonDocument table = JsonDocument.Parse(s_table))
            {
                JsonElement.ArrayEnumerator origins = table.RootElement.GetProperty("origins").EnumerateArray();
                Assert.True(origins.Any(), "there are origins");
                foreach (JsonElement line in origins)
                {
                    string url = line.GetProperty("url").GetString(), api = line.GetProperty("api").GetString();
                    var keeper = new Keeper();
                    using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, keeper) { ApiOrigin = new Uri(api) }))
                    {
                        http.GetAsync(url).GetAwaiter().GetResult();
                    }
                    Assert.Equal(line.GetProperty("token").GetBoolean(), keeper.Header != null, $"a token for {url} where the API is {api}");
                }
            }
        }

        /// <summary>Answers 200 and keeps the header of the request.</summary>
        private sealed class Keeper : HttpMessageHandler
        {
            internal AuthenticationHeaderValue? Header;

            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                Header = request.Headers.Authorization;
                return Task.FromResult(new HttpResponseMessage());
            }
        }

        private static void PlayAll(Func<HttpClient, HttpRequestMessage, HttpResponseMessage> send)
        {
            using (var other = new OtherServer())
            {
                string urls = s_table.Replace("{sandbox}", Sandbox.Url).Replace("{other}", other.Url)
                    .Replace("{sandbox_localhost}", Sandbox.Url.Replace("127.0.0.1", "localhost"));
                using (JsonDocument table = JsonDocument.Parse(urls))
                {
                    string[] failures = table.RootElement.GetProperty("cases").EnumerateArray().Where(each => !IsLeftOut(each)).Select(each => Failure(each, other, send)).Where(f => f != "").ToArray();
                    Assert.Equal("", string.Join("\n", failures), "what is not as the table says");
                }
            }
        }

        /// <summary>
        /// Under Wine: its HTTP server, of which the other server is made there, reads no body that
        /// comes in chunks.
        /// </summary>
        private static bool IsLeftOut(JsonElement testCase)
        {
            bool isLeftOut = Environment.GetEnvironmentVariable("APIVIDEO_TEST_NO_CHUNKS") != null
                && testCase.GetProperty("request").TryGetProperty("body", out JsonElement body) && body.GetProperty("kind").GetString() == "once";
            if (isLeftOut)
            {
                Console.WriteLine($"skipped: the case \"{testCase.GetProperty("name").GetString()}\": Wine's HTTP server reads no body in chunks");
            }
            return isLeftOut;
        }

        private static string Failure(JsonElement testCase, OtherServer other, Func<HttpClient, HttpRequestMessage, HttpResponseMessage> send)
        {
            try
            {
                Play(testCase, other, send);
                return "";
            }
            catch (Exception e)
            {
                return $"{testCase.GetProperty("name")}: {(e is AssertionException ? e.Message : e.ToString())}";
            }
        }

        private static void Play(JsonElement testCase, OtherServer other, Func<HttpClient, HttpRequestMessage, HttpResponseMessage> send)
        {
            JsonElement expected = Expected(testCase);
            Sandbox.Reset();
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token first = client.GetToken();
                Prepare(testCase, other, meanwhile: () =>
                {
                    client.Invalidate(first);
                    client.GetToken();
                });
                var handler = new ApiVideoAuthenticationHandler(client, new HttpClientHandler { UseProxy = false });
                if (testCase.TryGetProperty("api", out _))
                {
                    handler.ApiOrigin = new Uri(other.Url);
                }
                using (var http = new HttpClient(handler))
                {
                    SendEachTime(testCase, http, send, expected);
                }
                Token afterwards = client.GetToken();
                Assert.Equal(expected.GetProperty("token_afterwards").GetString(), afterwards == first ? "first" : "second", "the token afterwards");
                CheckSandbox(expected);
                CheckOther(testCase, expected, other, first, afterwards);
            }
        }

        private static JsonElement Expected(JsonElement testCase) =>
            testCase.TryGetProperty("expect_if_redirects_drop_the_header", out JsonElement special) ? special : testCase.GetProperty("expect");

        private static void Prepare(JsonElement testCase, OtherServer other, Action meanwhile)
        {
            if (testCase.TryGetProperty("revoke", out _))
            {
                Sandbox.Revoke("access");
            }
            if (testCase.TryGetProperty("faults", out JsonElement faults))
            {
                Sandbox.Fault(faults.GetRawText());
            }
            other.Begin(testCase.TryGetProperty("replies", out JsonElement replies) ? replies.EnumerateArray().ToList() : new List<JsonElement>(), meanwhile);
        }

        private static void SendEachTime(
            JsonElement testCase, HttpClient http, Func<HttpClient, HttpRequestMessage, HttpResponseMessage> send, JsonElement expected)
        {
            int times = testCase.TryGetProperty("times", out JsonElement number) ? number.GetInt32() : 1;
            for (int i = 0; i < times; i++)
            {
                using (HttpRequestMessage request = Request(testCase.GetProperty("request")))
                using (HttpResponseMessage response = send(http, request))
                {
                    Assert.Equal(expected.GetProperty("status").GetInt32(), (int)response.StatusCode, "the status");
                    Assert.True(request.Headers.Authorization is null || request.Headers.Authorization.Scheme == "Basic", "no token stays in the request");
                }
            }
        }

        private static HttpRequestMessage Request(JsonElement described)
        {
            var request = new HttpRequestMessage(new HttpMethod(described.GetProperty("method").GetString()), described.GetProperty("url").GetString());
            if (described.TryGetProperty("authorization", out JsonElement header))
            {
                request.Headers.Authorization = AuthenticationHeaderValue.Parse(header.GetString());
            }
            if (described.TryGetProperty("body", out JsonElement body))
            {
                request.Content = Content(body.GetProperty("kind").GetString(), body.GetProperty("text").GetString());
            }
            return request;
        }

        private static HttpContent Content(string kind, string text)
        {
            const string skipped = "skipped";
            switch (kind)
            {
                case "bytes":
                    return new StringContent(text);
                case "seekable":
                    return new StreamContent(new MemoryStream(Encoding.UTF8.GetBytes(skipped + text)) { Position = skipped.Length });
                case "once":
                    return new StreamContent(new OnceStream(Encoding.UTF8.GetBytes(text)));
                default:
                    throw new AssertionException($"The runner knows the kind of body {kind}");
            }
        }

        private static void CheckSandbox(JsonElement expected)
        {
            using (JsonDocument log = JsonDocument.Parse(Sandbox.Log()))
            {
                ILookup<bool, JsonElement> requests = log.RootElement.EnumerateArray().ToLookup(IsExchange);
                Assert.Equal(expected.GetProperty("exchanges").GetInt32(), requests[true].Count(), "the number of exchanges");
                string wanted = expected.TryGetProperty("sandbox", out JsonElement lines) ? Text(lines) : "";
                Assert.Equal(wanted, string.Join(", ", requests[false].Select(each => $"{each.GetProperty("method")} {TokenOf(each)}")), "what reached the sandbox");
            }
        }

        private static bool IsExchange(JsonElement request) => request.GetProperty("path").GetString().StartsWith("/auth/", StringComparison.Ordinal);

        private static string TokenOf(JsonElement request)
        {
            if (!request.GetProperty("headers").TryGetProperty("authorization", out _))
            {
                return "none";
            }
            JsonElement id = request.GetProperty("access_token_id");
            return id.ValueKind == JsonValueKind.Null ? "callers" : id.GetInt32() == 1 ? "first" : id.GetInt32() == 2 ? "second" : "another";
        }

        private static void CheckOther(JsonElement testCase, JsonElement expected, OtherServer other, Token first, Token second)
        {
            bool isThere = expected.TryGetProperty("other", out JsonElement lines);
            string callers = testCase.GetProperty("request").TryGetProperty("authorization", out JsonElement header) ? header.GetString() : "";
            string Name(string? value) => value is null ? "none" : value == first.GetAuthorization() ? "first" : value == second.GetAuthorization() ? "second"
                : value == callers ? "callers" : "another";
            Assert.Equal(isThere ? Text(lines) : "", string.Join(", ", other.Requests.Select(r => $"{r.Method} {Name(r.Authorization)}")), "what reached the other server");
            if (isThere && lines.EnumerateArray().Any(line => line.TryGetProperty("body", out _)))
            {
                Assert.Equal(string.Join(", ", lines.EnumerateArray().Select(line => line.GetProperty("body").GetString())),
                    string.Join(", ", other.Requests.Select(r => r.Body)), "the bodies");
            }
        }

        private static string Text(JsonElement lines) =>
            string.Join(", ", lines.EnumerateArray().Select(line => $"{line.GetProperty("method")} {line.GetProperty("token")}"));

        /// <summary>The other server of the table.</summary>
        private sealed class OtherServer : IDisposable
        {
            private readonly HttpListener _listener = new HttpListener();
            private List<JsonElement> _replies = new List<JsonElement>();
            private Action _meanwhile = () => { };

            internal readonly ConcurrentQueue<(string Method, string? Authorization, string Body)> Requests =
                new ConcurrentQueue<(string, string?, string)>();

            internal OtherServer()
            {
                var free = new TcpListener(IPAddress.Loopback, 0);
                free.Start();
                Url = $"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}";
                free.Stop();
                _listener.Prefixes.Add(Url + "/");
                _listener.Start();
                new Thread(Serve) { IsBackground = true }.Start();
            }

            internal string Url { get; }

            internal void Begin(List<JsonElement> replies, Action meanwhile)
            {
                (_replies, _meanwhile) = (replies, meanwhile);
                while (Requests.TryDequeue(out _))
                {
                }
            }

            private void Serve()
            {
                try
                {
                    while (true)
                    {
                        Answer(_listener.GetContext());
                    }
                }
                catch (Exception e) when (e is HttpListenerException || e is ObjectDisposedException)
                {
                    // It was stopped.
                }
            }

            private void Answer(HttpListenerContext context)
            {
                using (var body = new StreamReader(context.Request.InputStream))
                {
                    Requests.Enqueue((context.Request.HttpMethod, context.Request.Headers["Authorization"], body.ReadToEnd()));
                }
                if (_replies.Count > 0)
                {
                    Fill(context.Response, _replies[Math.Min(Requests.Count, _replies.Count) - 1]);
                }
                context.Response.Close();
            }

            private void Fill(HttpListenerResponse response, JsonElement reply)
            {
                if (reply.TryGetProperty("meanwhile", out _))
                {
                    _meanwhile();
                }
                response.StatusCode = reply.GetProperty("status").GetInt32();
                if (reply.TryGetProperty("location", out JsonElement location))
                {
                    response.RedirectLocation = location.GetString();
                }
            }

            public void Dispose() => _listener.Close();
        }
    }
}
