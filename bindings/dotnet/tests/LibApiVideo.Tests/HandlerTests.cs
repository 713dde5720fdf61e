using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Reflection;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    public class HandlerTests
    {
        /// <summary>
        /// Answers 401 to the first requests, keeps what each carried, and knows which of its
        /// replies were disposed.
        /// </summary>
        private sealed class Server : HttpMessageHandler
        {
            private int _rejections;
            internal readonly List<string> Bodies = new List<string>();
            internal readonly List<string> Tokens = new List<string>();
            internal readonly List<Reply> Replies = new List<Reply>();

            internal Server(int rejections) => _rejections = rejections;

            protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                Tokens.Add(request.Headers.Authorization.ToString());
                var body = new MemoryStream();
                if (request.Content != null)
                {
                    await request.Content.CopyToAsync(body).ConfigureAwait(false);
                }
                Bodies.Add(Encoding.UTF8.GetString(body.ToArray()));
                Replies.Add(new Reply(_rejections-- > 0 ? HttpStatusCode.Unauthorized : HttpStatusCode.OK));
                return Replies.Last();
            }
        }

        private sealed class Reply : HttpResponseMessage
        {
            internal bool IsDisposed;

            internal Reply(HttpStatusCode status) : base(status)
            {
            }

            protected override void Dispose(bool disposing)
            {
                IsDisposed = true;
                base.Dispose(disposing);
            }
        }

        private sealed class OwnContent : HttpContent
        {
            protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(new byte[] { 65 }, 0, 1);

            protected override bool TryComputeLength(out long length)
            {
                length = 0;
                return false;
            }
        }

        private sealed class OwnHandler : ApiVideoAuthenticationHandler
        {
            internal OwnHandler(ApiVideoClient client, HttpMessageHandler inner) : base(client, inner)
            {
            }

            protected override bool CanReplay(HttpContent content) => content is OwnContent || base.CanReplay(content);
        }

        private static HttpStatusCode Post(Server server, HttpContent? content, Func<ApiVideoClient, HttpMessageHandler>? handler = null)
        {
            Sandbox.Reset();
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(handler?.Invoke(client) ?? new ApiVideoAuthenticationHandler(client, server)))
            {
                return http.PostAsync(Sandbox.Url + "/videos", content).GetAwaiter().GetResult().StatusCode;
            }
        }

        private static byte[] Bytes => Encoding.UTF8.GetBytes("what is sent");

        [Test]
        public void ContentThatCanBeSentTwiceIs()
        {
            var seekable = new MemoryStream(Encoding.UTF8.GetBytes("not this: what is sent")) { Position = 10 };
            var contents = new List<HttpContent?>
            {
                null, new StringContent("what is sent"), new ByteArrayContent(Bytes), new StreamContent(seekable),
                new FormUrlEncodedContent(new Dictionary<string, string> { ["what"] = "is sent" }),
                new MultipartFormDataContent { { new StringContent("what"), "is" }, { new StreamContent(new MemoryStream(Bytes)), "sent" } },
            };
            if (Type.GetType("System.Net.Http.Json.JsonContent, System.Net.Http.Json") is Type json)
            {
                MethodInfo create = json.GetMethods().First(m => m.Name == "Create" && m.IsGenericMethod && m.GetParameters().Length == 3).MakeGenericMethod(typeof(string));
                contents.Add((HttpContent)create.Invoke(null, new object?[] { "what is sent", null, null })!);
            }
            foreach (HttpContent? content in contents)
            {
                var server = new Server(rejections: 1);
                string kind = content?.GetType().Name ?? "no content";
                Assert.Equal(HttpStatusCode.OK, Post(server, content), kind);
                Assert.Equal(2, server.Bodies.Count, kind);
                Assert.Equal(server.Bodies[0], server.Bodies[1], kind);
                Assert.True(content == null || server.Bodies[1].Contains("sent"), kind + " is sent whole");
                Assert.True(server.Tokens[0] != server.Tokens[1], kind + " goes with another token");
                Assert.True(server.Replies[0].IsDisposed && !server.Replies[1].IsDisposed, kind + "'s first reply is disposed");
            }
        }

        [Test]
        public void ContentThatCannotBeSentTwiceIsNotAndTheTokenIsDroppedAllTheSame()
        {
            foreach (HttpContent content in new HttpContent[] { new StreamContent(new OnceStream(Bytes)), new OwnContent(),
                new MultipartContent { new StreamContent(new OnceStream(Bytes)) } })
            {
                var server = new Server(rejections: 1);
                Sandbox.Reset();
                using (ApiVideoClient client = Sandbox.Client())
                using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, server)))
                {
                    Assert.Equal(HttpStatusCode.Unauthorized, http.PostAsync(Sandbox.Url + "/", content).GetAwaiter().GetResult().StatusCode);
                    Assert.Equal(1, server.Bodies.Count);
                    Assert.True(!server.Replies[0].IsDisposed, "the reply is the caller's");
                    Assert.True("Bearer " + client.GetToken().AccessToken != server.Tokens[0], "the next request gets another token");
                }
            }
        }

        [Test]
        public void AProgramMaySayThatItsContentCanBeSentTwice()
        {
            var server = new Server(rejections: 1);
            Assert.Equal(HttpStatusCode.OK, Post(server, new OwnContent(), client => new OwnHandler(client, server)));
            Assert.Equal("A A", string.Join(" ", server.Bodies));
        }

        [Test]
        public void ItIsSentOnceMoreAndNotAgain()
        {
            var server = new Server(rejections: 100);
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, server)))
            {
                for (int i = 0; i < 20; i++)
                {
                    Assert.Equal(HttpStatusCode.Unauthorized, http.GetAsync(Sandbox.Url + "/").GetAwaiter().GetResult().StatusCode);
                }
                Assert.Equal(21, server.Tokens.Count, "requests: the first was sent twice");
                Assert.Equal(2, Sandbox.Requests("api_key"), "tokens got");
            }
        }

        [Test]
        public void OtherRepliesAreLeftAlone()
        {
            Sandbox.Fault("{\"on\":\"videos\",\"fault\":{\"kind\":\"reply\",\"status\":403,\"body\":\"{}\"}}");
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, new HttpClientHandler())))
            {
                Assert.Equal(HttpStatusCode.Forbidden, http.GetAsync(Sandbox.Url + "/videos").GetAwaiter().GetResult().StatusCode);
                Assert.Equal(HttpStatusCode.OK, http.GetAsync(Sandbox.Url + "/videos").GetAwaiter().GetResult().StatusCode);
                Assert.Equal(1, Sandbox.Requests("api_key"));
            }
        }

        [Test]
        public void AStormOf401sMakesOneExchange()
        {
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, new HttpClientHandler())))
            {
                client.GetToken();
                Sandbox.Revoke("access");
                Task<HttpResponseMessage>[] requests = Enumerable.Range(0, 64).Select(_ => http.GetAsync(Sandbox.Url + "/videos")).ToArray();
                foreach (Task<HttpResponseMessage> request in requests)
                {
                    Assert.Equal(HttpStatusCode.OK, request.GetAwaiter().GetResult().StatusCode);
                }
                Assert.Equal(2, Sandbox.Requests("api_key"), "tokens got");
                Assert.Equal(0, Sandbox.Requests("refresh"), "refreshes");
            }
        }

        [Test]
        public void ARequestToAnotherServerAsksForNoToken()
        {
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, new HttpClientHandler())))
            {
                Assert.Equal(HttpStatusCode.NotFound, http.GetAsync(Sandbox.Url.Replace("127.0.0.1", "localhost") + "/").GetAwaiter().GetResult().StatusCode);
                Assert.Equal(0, Sandbox.Requests("api_key"), "tokens got");
            }
        }

        [Test]
        public void NoTokenStaysInARequestThatFailed()
        {
            var request = new HttpRequestMessage(HttpMethod.Get, Sandbox.Url + "/") { Headers = { { "Authorization", "Basic b3duOm93bg==" } } };
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, new Failing())))
            {
                Assert.Throws<HttpRequestException>(http.SendAsync(request));
            }
            Assert.Equal("Basic", request.Headers.Authorization.Scheme, "the header, as the caller set it");
        }

        private sealed class Failing : HttpMessageHandler
        {
            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                Assert.Equal("Bearer", request.Headers.Authorization.Scheme, "the header that is sent");
                throw new HttpRequestException("as asked");
            }
        }

        [Test]
        public void TheOriginIsASafeUrlAndByDefaultTheBaseUrls()
        {
            using (ApiVideoClient client = Sandbox.Client())
            using (var production = new ApiVideoClient(Sandbox.Key))
            using (var sandbox = new ApiVideoClient(Sandbox.Key, new ApiVideoClientOptions { Environment = ApiVideoEnvironment.Sandbox }))
            {
                var handler = new ApiVideoAuthenticationHandler(client);
                Assert.Equal(new Uri(Sandbox.Url), handler.ApiOrigin);
                Assert.Throws<ArgumentNullException>(() => handler.ApiOrigin = null!);
                foreach (string bad in new[] { "/videos", "http://ws.api.video", "ftp://ws.api.video" })
                {
                    Assert.Equal("value", Assert.Throws<ArgumentException>(() => handler.ApiOrigin = new Uri(bad, UriKind.RelativeOrAbsolute)).ParamName);
                }
                // As the native library has them.
                string config = Library.Source("src/config.rs");
                Assert.Contains($"Environment::Production => \"{new ApiVideoAuthenticationHandler(production).ApiOrigin.OriginalString}\"", config);
                Assert.Contains($"Environment::Sandbox => \"{new ApiVideoAuthenticationHandler(sandbox).ApiOrigin.OriginalString}\"", config);
            }
        }

        [Test]
        public void NoTokenNoRequest()
        {
            Sandbox.Outage(600);
            var server = new Server(rejections: 0);
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, server)))
            {
                Assert.Throws<ApiVideoServerException>(http.GetAsync(Sandbox.Url + "/"));
                Assert.Equal(0, server.Tokens.Count, "requests");
            }
        }

        [Test]
        public void ARequestIsCancelledWhileItWaitsForItsToken()
        {
            Sandbox.Hang();
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, new Server(0))))
            using (var cancellation = new CancellationTokenSource())
            {
                Task<HttpResponseMessage> request = http.GetAsync(Sandbox.Url + "/", cancellation.Token);
                Assert.Eventually(() => client.GetStatistics().Waiters == 1, "it waits");
                cancellation.Cancel();
                Assert.Throws<OperationCanceledException>(request);
                Assert.Equal(0L, client.GetStatistics().Waiters, "native waiters");
            }
        }

        [Test]
        public void TheClientStaysTheCallers()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                new HttpClient(new ApiVideoAuthenticationHandler(client, new Server(0))).Dispose();
                Assert.True(client.GetToken() != null, "it is not disposed with the handler");
                Assert.Throws<ArgumentNullException>(() => new ApiVideoAuthenticationHandler(null!));
            }
        }

        [Test]
        public void NothingComesBackToTheCallersContext()
        {
            Sandbox.Settings("{\"latency_ms\":50}");
            var context = new CountingContext();
            SynchronizationContext.SetSynchronizationContext(context);
            using (ApiVideoClient client = Sandbox.Client())
            using (var http = new HttpClient(new ApiVideoAuthenticationHandler(client, new Server(1))))
            {
                // A context that is blocked: with a continuation in it this would never end.
                http.GetAsync(Sandbox.Url + "/").GetAwaiter().GetResult();
                client.GetToken(TimeSpan.FromMinutes(1));
            }
            Assert.Equal(0, context.Posts, "continuations in the caller's context");
        }

        private sealed class CountingContext : SynchronizationContext
        {
            internal int Posts;

            public override void Post(SendOrPostCallback d, object? state) => Interlocked.Increment(ref Posts);
        }
    }
}
