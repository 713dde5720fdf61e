using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    public class RequestTests
    {
        [Test]
        public void ARequestGivesTheAnswerAsItCame()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Sandbox.Fault("{\"on\":\"videos\",\"fault\":{\"kind\":\"reply\",\"status\":201,\"headers\":{\"X-Number\":\"7\"},\"body\":\"{\\\"videoId\\\":\\\"é\\\"}\"}}");
                ApiVideoResponse response = client.Request("POST", "/videos", "{\"title\":\"Harbour\"}");
                Assert.Equal(201, response.HttpStatus);
                Assert.Equal("{\"videoId\":\"é\"}", response.Text);
                Assert.Equal(Encoding.UTF8.GetByteCount(response.Text), response.Body.Length);
                Assert.Equal("7", response.GetHeader("x-NUMBER"));
                Assert.Equal(null, response.GetHeader("X-Nothing"));
                Assert.Equal(null, response.NextPage);
                Assert.Lacks("videoId", response.ToString(), "ToString()");
            }
        }

        [Test]
        public void AResponseOutlivesItsClient()
        {
            ApiVideoResponse response;
            using (ApiVideoClient client = Sandbox.Client())
            {
                response = client.Request("GET", "/videos?pageSize=1");
            }
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.Contains("currentPage=2", response.NextPage ?? "");
        }

        [Test]
        public void PagesLeadToTheLastOne()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                List<string> titles = client.Pages("/videos?pageSize=1").SelectMany(Titles).ToList();
                Assert.Equal(3, titles.Distinct().Count(), "the number of videos");
                // Each page is asked for when it is.
                int before = Sandbox.Requests("videos");
                client.Pages("/videos?pageSize=1").First();
                Assert.Equal(before + 1, Sandbox.Requests("videos"));
                Assert.Throws<ArgumentNullException>(() => client.Pages(null!).First());
            }
        }

        [Test]
        public void PagesThatLeadToOneAnotherHaveAnEnd()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                PagesInACircle();
                Assert.Equal(2, client.Pages("/videos").Count(), "the number of pages");
            }
        }

        private static void PagesInACircle()
        {
            foreach (string next in new[] { "/videos?currentPage=2", "/videos" })
            {
                Reply(200, "{\"pagination\":{\"links\":[{\"rel\":\"next\",\"uri\":\"" + next + "\"}]}}");
            }
        }

        /// <summary>The next request for videos has this answer.</summary>
        private static void Reply(int status, string body) => Sandbox.Fault(
            $"{{\"on\":\"videos\",\"fault\":{{\"kind\":\"reply\",\"status\":{status},\"body\":\"{body.Replace("\"", "\\\"")}\"}}}}");

        private static IEnumerable<string> Titles(ApiVideoResponse page) =>
            Regex.Matches(page.Text, "\"title\":\"([^\"]*)\"").Cast<Match>().Select(m => m.Groups[1].Value);

#if NETCOREAPP && !NETCOREAPP3_1
        [Test]
        public async Task PagesComeWithoutBlockingToo()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                var titles = new List<string>();
                await foreach (ApiVideoResponse page in client.PagesAsync("/videos?pageSize=2"))
                {
                    titles.AddRange(Titles(page));
                }
                Assert.Equal(3, titles.Count);
            }
        }

        [Test]
        public async Task PagesThatLeadToOneAnotherHaveAnEndWithoutBlockingToo()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                PagesInACircle();
                int count = 0;
                await foreach (ApiVideoResponse page in client.PagesAsync("/videos"))
                {
                    count++;
                }
                Assert.Equal(2, count, "the number of pages");
            }
        }
#endif

        [Test]
        public void ARefusalHasEachOfTheFaults()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Sandbox.Fault("{\"on\":\"videos\",\"fault\":{\"kind\":\"reply\",\"status\":400,\"body\":\"{\\\"title\\\":\\\"One fault.\\\",\\\"detail\\\":\\\"See below.\\\",\\\"problems\\\":[{\\\"type\\\":\\\"https://docs.api.video/a\\\",\\\"title\\\":\\\"A.\\\",\\\"name\\\":\\\"title\\\"}]}\"}}");
                var error = Assert.Throws<ApiVideoRequestRejectedException>(() => client.Request("POST", "/videos", "{}"));
                Assert.Equal(ApiVideoStatus.RequestRejected, error.Status);
                Assert.Equal(400, error.HttpStatus);
                Assert.Equal("One fault.", error.Title);
                Assert.Equal("See below.", error.Detail);
                ApiVideoProblem problem = error.Problems.Single();
                Assert.Equal("https://docs.api.video/a", problem.Type);
                Assert.Equal("title: A.", problem.ToString());
                Assert.Equal(null, problem.Detail);
                Assert.Contains("title: A", error.Message);
            }
        }

        [Test]
        public void A401GetsAnotherToken()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token first = client.GetToken();
                Sandbox.Revoke("access");
                Assert.Equal(200, client.Request("GET", "/videos").HttpStatus);
                Assert.True(!ReferenceEquals(first, client.GetToken()), "there is another token");
                Assert.Equal(2, Sandbox.Requests("videos"));
            }
        }

        [Test]
        public void A401AboutAnotherCredentialIsTheCallers()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token token = client.GetToken();
                Reply(401, "{\"type\":\"https://docs.api.video/reference/authentication-invalid-upload-token\",\"title\":\"No.\"}");
                var error = Assert.Throws<ApiVideoRequestRejectedException>(() => client.Request("GET", "/videos"));
                Assert.Equal(401, error.HttpStatus);
                Assert.Contains("invalid-upload-token", error.ProblemType ?? "");
                Reply(401, "<html>Sign in</html>");
                var another = Assert.Throws<ApiVideoServerException>(() => client.Request("GET", "/videos"));
                Assert.Equal(ApiVideoStatus.ProtocolError, another.Status);
                Assert.Equal(2, Sandbox.Requests("videos"));
                Assert.True(ReferenceEquals(token, client.GetToken()), "the token stays");
            }
        }

        [Test]
        public void WhatMayHaveBeenCarriedOutIsNotForAnotherTry()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Reply(503, "");
                var error = Assert.Throws<ApiVideoServerException>(() => client.Request("POST", "/videos", "{}"));
                Assert.True(!error.IsRetryable, "a POST may not be tried again");
                Assert.Contains("may have been carried out", error.Message);
                Reply(500, "");
                Assert.True(Assert.Throws<ApiVideoServerException>(() => client.Request("GET", "/videos")).IsRetryable, "a GET may be tried again");
            }
        }

        [Test]
        public void WhatCannotBeSentIsRefusedAtOnce()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                foreach ((string method, string path, string? json) in new[]
                    { ("GE T", "/", null), ("GET", "https://example.com/", null), ("GET", "/a/../b", null), ("POST", "/", "{"), ("GET", "/\0", null) })
                {
                    Assert.Throws<ArgumentException>(() => { client.RequestAsync(method, path, json); });
                }
                Assert.Contains("path", Assert.Throws<ArgumentException>(() => client.Request("GET", "videos")).Message);
                Assert.Throws<ArgumentNullException>(() => client.Request(null!, "/"));
                Assert.Throws<ArgumentNullException>(() => client.Request("GET", null!));
                Assert.Equal(0, Sandbox.Requests("videos"));
            }
        }

        [Test]
        public void AReplyThatIsTooLargeIsRefused()
        {
            using (ApiVideoClient client = Sandbox.Client(options => options.MaxReplyBytes = 1000))
            {
                var tooLarge = Assert.Throws<ApiVideoServerException>(() => client.Request("GET", "/videos"));
                Assert.Equal(ApiVideoStatus.ProtocolError, tooLarge.Status);
                Assert.Contains("larger than 1000 bytes", tooLarge.Message);
            }
            var error = Assert.Throws<ArgumentException>(() => Sandbox.Client(options => options.MaxReplyBytes = -1));
            Assert.Equal(nameof(ApiVideoClientOptions.MaxReplyBytes), error.ParamName);
        }

        [Test]
        public void CancellingAndDisposingEndARequest()
        {
            using (var cancellation = new CancellationTokenSource())
            {
                ApiVideoClient client = Sandbox.Client();
                client.GetToken();
                Sandbox.Fault("{\"on\":\"videos\",\"times\":0,\"fault\":{\"kind\":\"hang\"}}");
                Task<ApiVideoResponse> cancelled = client.RequestAsync("GET", "/videos", null, cancellation.Token);
                Task<ApiVideoResponse> disposed = client.RequestAsync("GET", "/videos");
                Assert.Eventually(() => Sandbox.Requests("videos") == 2, "both requests have come");
                cancellation.Cancel();
                Assert.Throws<OperationCanceledException>(cancelled);
                client.Dispose();
                Assert.Throws<ObjectDisposedException>(disposed);
                Assert.Throws<ObjectDisposedException>(() => client.Request("GET", "/videos"));
            }
        }

        [Test]
        public void AWebhookIsVerified()
        {
            // RFC 4231, test case 2.
            byte[] body = Encoding.ASCII.GetBytes("what do ya want for nothing?");
            const string Signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
            Assert.True(ApiVideoWebhook.Verify("Jefe", body, Signature), "it is the signature");
            Assert.True(!ApiVideoWebhook.Verify("jefe", body, Signature), "another secret is not the one");
            body[0] ^= 1;
            Assert.True(!ApiVideoWebhook.Verify("Jefe", body, Signature), "another body has another signature");
            Assert.True(!ApiVideoWebhook.Verify("", new byte[0], "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"), "no secret signs nothing");
            Assert.True(ApiVideoWebhook.Verify("key", new byte[0], "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0"), "an empty body has a signature");
            Assert.Throws<ArgumentNullException>(() => ApiVideoWebhook.Verify(null!, body, ""));
            Assert.Throws<ArgumentNullException>(() => ApiVideoWebhook.Verify("", null!, ""));
            foreach (string? strange in new[] { null, "\udcff", "a\0" })
            {
                Assert.True(!ApiVideoWebhook.Verify("Jefe", body, strange), "what a stranger sends is no signature");
            }
        }
    }
}
