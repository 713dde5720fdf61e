using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    public class TokenTests
    {
        [Test]
        public void TheFirstTokenHasEverything()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token token = client.GetToken();
                Assert.Equal("Bearer", token.TokenType);
                Assert.Equal("Bearer " + token.AccessToken, token.GetAuthorization());
                Assert.True(token.AccessToken.Length > 500 && token.GetRefreshToken().Length > 100, "both tokens are there");
                Assert.Equal(TimeSpan.FromHours(1), token.Lifetime);
                Assert.True(token.ExpiresIn > TimeSpan.FromMinutes(59) && token.ExpiresIn <= token.Lifetime, "it has an hour left");
                Assert.True((token.ExpiresAt - DateTimeOffset.UtcNow - token.ExpiresIn).Duration() < TimeSpan.FromMinutes(1), "both expiries agree");
            }
        }

        [Test]
        public void AValidTokenIsGivenAgainAtOnceWithoutARequest()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token token = client.GetToken();
                Sandbox.Hang();
                Assert.True(ReferenceEquals(token, client.GetToken()), "it is the same object");
                Task<Token> task = client.GetTokenAsync();
                Assert.True(task.Status == TaskStatus.RanToCompletion, "the task is complete");
                Assert.True(ReferenceEquals(task, client.GetTokenAsync()), "no task is made");
                Assert.True(ReferenceEquals(token, client.GetToken(TimeSpan.FromMinutes(10))), "it is good for ten minutes");
                Assert.Equal(1, Sandbox.Requests("api_key"));
            }
        }

        [Test]
        public void ATokenOutlivesItsClientAndSaysNothing()
        {
            Token token;
            using (ApiVideoClient client = Sandbox.Client())
            {
                token = client.GetToken();
            }
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.True(token.ExpiresIn > TimeSpan.Zero && token.GetRefreshToken().Length > 0, "it works on");
            Assert.Contains("redacted", token.ToString());
            Assert.Lacks(token.AccessToken, token.ToString(), "ToString()");
            Assert.Lacks(token.GetRefreshToken(), token.ToString(), "ToString()");
        }

        /// <summary>
        /// A token that is still valid, but less than a fresh one of ten seconds: not for eight
        /// seconds, with a margin of one.
        /// </summary>
        private static Token GetUsed(ApiVideoClient client)
        {
            Sandbox.Settings("{\"expires_in\":10}");
            Token token = client.GetToken();
            Assert.Eventually(() => token.ExpiresIn < s_long + TimeSpan.FromSeconds(1), "a second passes");
            return token;
        }

        private static readonly TimeSpan s_long = TimeSpan.FromSeconds(8);

        [Test]
        public void AMinimumValidityRenews()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token first = GetUsed(client);
                Token second = client.GetToken(s_long);
                Assert.True(!ReferenceEquals(first, second) && ReferenceEquals(second, client.GetToken()), "there is another, and it is the one to use now");
                Assert.Equal(1, Sandbox.Counter("refresh", "ok"), "refreshes");
                Assert.Throws<ArgumentException>(() => client.GetToken(TimeSpan.FromHours(2)));
                Assert.Throws<ArgumentException>(client.GetTokenAsync(TimeSpan.MaxValue));
                Assert.Equal("minValidity", Assert.Throws<ArgumentOutOfRangeException>(() => client.GetToken(TimeSpan.FromSeconds(-1))).ParamName);
            }
        }

        [Test]
        public void AuthenticateAndRefreshAtOnce()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                ApiVideoException none = Assert.Throws<ApiVideoRefreshRejectedException>(() => client.Refresh());
                Assert.Equal(ApiVideoStatus.NoRefreshToken, none.Status);
                Token first = client.Authenticate();
                Token second = client.RefreshAsync().GetAwaiter().GetResult();
                Assert.True(first.AccessToken != second.AccessToken && ReferenceEquals(second, client.GetToken()), "the new one is used");
                Sandbox.Revoke("refresh");
                ApiVideoException rejected = Assert.Throws<ApiVideoRefreshRejectedException>(client.RefreshAsync());
                Assert.Equal(ApiVideoStatus.RefreshRejected, rejected.Status);
                Assert.Equal(400, rejected.HttpStatus ?? 0, "HttpStatus");
                Assert.True(ReferenceEquals(second, client.GetToken()), "the access token stays in use");
            }
        }

        [Test]
        public void ARejectedRefreshTokenIsRoutine()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token first = GetUsed(client);
                Sandbox.Revoke("refresh");
                Assert.True(!ReferenceEquals(first, client.GetToken(s_long)), "there is another token");
                ApiVideoStatistics statistics = client.GetStatistics();
                Assert.Equal(1L, statistics.RefreshRejections);
                Assert.Equal(2L, statistics.AuthenticateRequests);
                Assert.Equal(2L, statistics.TokensGranted);
            }
        }

        [Test]
        public void AHerdMakesOneExchange()
        {
            Sandbox.Settings("{\"latency_ms\":200}");
            using (ApiVideoClient client = Sandbox.Client())
            {
                List<object> outcomes = Many.Threads(64, () => client.GetToken());
                Assert.True(outcomes.All(o => o is Token), "each has a token: " + outcomes.FirstOrDefault(o => !(o is Token)));
                Assert.Equal(1, outcomes.Distinct().Count(), "the number of tokens");
                Assert.Equal(1, Sandbox.Requests("api_key"));
            }
        }

        [Test]
        public async Task SixtyFourTasksCrossExpiriesWithoutNoticing()
        {
            Sandbox.Settings("{\"expires_in\":1}");
            using (ApiVideoClient client = Sandbox.Client())
            {
                var tokens = new System.Collections.Concurrent.ConcurrentDictionary<Token, bool>();
                await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
                {
                    while (tokens.Count < 5)
                    {
                        tokens.TryAdd(await client.GetTokenAsync().ConfigureAwait(false), true);
                        tokens.TryAdd(client.GetToken(), true);
                        await Task.Yield();
                    }
                }))).ConfigureAwait(false);
                ApiVideoStatistics statistics = client.GetStatistics();
                Assert.Equal(0L, statistics.Failures);
                Assert.True(statistics.AuthenticateRequests + statistics.RefreshRequests <= statistics.TokensGranted + 1, "each exchange gave a token");
            }
        }

        [Test]
        public void AnOutageIsToldAndEnds()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Sandbox.Outage(600);
                var error = Assert.Throws<ApiVideoServerException>(() => client.GetToken());
                Assert.Equal(ApiVideoStatus.ServerError, error.Status);
                Assert.Equal(503, error.HttpStatus ?? 0, "HttpStatus");
                Assert.True(error.IsRetryable && error.RetryAfter >= TimeSpan.Zero, "it may be tried again");
                Sandbox.Outage(0);
                Assert.Eventually(() =>
                {
                    try
                    {
                        return client.GetToken() != null;
                    }
                    catch (ApiVideoServerException)
                    {
                        return false;
                    }
                }, "the client recovers");
            }
        }

        [Test]
        public void AnOutageLeavesTheValidTokenAlone()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token token = GetUsed(client);
                Sandbox.Outage(600);
                Assert.Throws<ApiVideoServerException>(() => client.GetToken(s_long));
                Assert.True(ReferenceEquals(token, client.GetToken()), "it is still given");
            }
        }

        [Test]
        public void WhoWantsToWaitsForRecovery()
        {
            Sandbox.Fault("{\"on\":\"auth\",\"times\":2,\"fault\":{\"kind\":\"reply\",\"status\":503,\"body\":\"{}\"}}");
            using (ApiVideoClient client = Sandbox.Client(o => o.WaitForRecovery = true))
            {
                Assert.True(client.GetToken().ExpiresIn > TimeSpan.Zero, "the token came in the end");
                Assert.Equal(3, Sandbox.Requests("api_key"));
            }
        }

        [Test]
        public void AnExpiredTokenIsReplaced()
        {
            Sandbox.Settings("{\"expires_in\":1}");
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token first = client.GetToken();
                Assert.Eventually(() => first.ExpiresIn == TimeSpan.Zero, "it expires");
                Assert.True(!ReferenceEquals(first, client.GetToken()), "there is another");
            }
        }

        [Test]
        public void EveryFailureHasItsException()
        {
            ApiVideoException Failure(string fault)
            {
                Sandbox.Reset();
                Sandbox.Fault("{\"on\":\"auth\",\"times\":0,\"fault\":" + fault + "}");
                using (ApiVideoClient client = Sandbox.Client(o => o.AttemptTimeout = TimeSpan.FromMilliseconds(300)))
                {
                    return Assert.Throws<ApiVideoException>(() => client.GetToken());
                }
            }

            ApiVideoException limited = Failure("{\"kind\":\"reply\",\"status\":429,\"headers\":{\"Retry-After\":\"7\"},\"body\":\"{}\"}");
            Assert.True(limited is ApiVideoRateLimitedException && limited.Status == ApiVideoStatus.RateLimited, "429 is a rate limit");
            Assert.True(limited.RetryAfter > TimeSpan.FromSeconds(3) && limited.RetryAfter <= TimeSpan.FromSeconds(7), "it says when");

            ApiVideoException rejected = Failure("{\"kind\":\"reply\",\"status\":403,\"body\":\"{\\\"type\\\":\\\"https://t/x\\\",\\\"title\\\":\\\"No.\\\",\\\"name\\\":\\\"apiKey\\\"}\"}");
            Assert.True(rejected is ApiVideoKeyRejectedException && rejected.Status == ApiVideoStatus.KeyRejected, "403 rejects the key");
            Assert.Equal("https://t/x No. apiKey", $"{rejected.ProblemType} {rejected.Title} {rejected.Name}");
            Assert.True(!rejected.IsRetryable, "the key must be changed first");

            ApiVideoException garbled = Failure("{\"kind\":\"reply\",\"status\":200,\"body\":\"no JSON\"}");
            Assert.True(garbled is ApiVideoServerException && garbled.Status == ApiVideoStatus.ProtocolError, "garbage is told");
            Assert.True(garbled.ProblemType == null && garbled.Title == null && garbled.Name == null, "there is no problem object");

            ApiVideoException lost = Failure("{\"kind\":\"close\"}");
            Assert.True(lost is ApiVideoNetworkException && lost.Status == ApiVideoStatus.NetworkError && lost.HttpStatus == null, "a lost connection is told");

            ApiVideoException slow = Failure("{\"kind\":\"hang\"}");
            Assert.True(slow is ApiVideoTimeoutException && slow.Status == ApiVideoStatus.Timeout, "no answer is told");
        }

        [Test]
        public void AWrongKeyIsToldWithoutBeingRepeated()
        {
            using (ApiVideoClient client = Sandbox.Client(key: "canary-wrong-key"))
            {
                ApiVideoException error = Assert.Throws<ApiVideoKeyRejectedException>(() => client.GetToken());
                Assert.Lacks("canary", error.ToString(), "the exception");
            }
        }

        [Test]
        public void Invalidating()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Token first = client.GetToken();
                client.Invalidate(first);
                Token second = client.GetToken();
                client.Invalidate(first);
                Assert.True(ReferenceEquals(second, client.GetToken()), "a late 401 changes nothing");
                var again = Assert.Throws<ApiVideoTokenRejectedException>(() => client.Invalidate(second));
                Assert.Equal(ApiVideoStatus.TokenRejected, again.Status);
                Assert.True(ReferenceEquals(second, client.GetToken()), "it is kept");
                Assert.Equal(2, Sandbox.Requests("api_key"));
                Assert.Throws<ArgumentNullException>(() => client.Invalidate(null!));
            }
        }

        [Test]
        public void StatesAndLogLinesArriveWithoutSecrets()
        {
            var lines = new System.Collections.Concurrent.ConcurrentQueue<string>();
            var states = new System.Collections.Concurrent.ConcurrentQueue<TokenState>();
            using (ApiVideoClient client = Sandbox.Client(o =>
            {
                o.Log = (level, line) => lines.Enqueue($"{level}: {line}");
                o.LogLevel = ApiVideoLogLevel.Debug;
                o.StateChanged = states.Enqueue;
            }))
            {
                Token token = client.GetToken();
                client.Invalidate(token);
                Assert.Eventually(() => states.Contains(TokenState.Valid) && states.Contains(TokenState.Rejected), "both states are told");
                Assert.Eventually(() => lines.Any(l => l.StartsWith("Info: New token", StringComparison.Ordinal)), "the log tells of the token; it has: " + string.Join(" | ", lines));
                string all = string.Join("\n", lines);
                Assert.Lacks(token.AccessToken, all, "the log");
                Assert.Lacks(token.GetRefreshToken(), all, "the log");
                Assert.Lacks(Sandbox.Key, all, "the log");
            }
        }

        [Test]
        public void CallbacksMayThrowAndCallTheClient()
        {
            ApiVideoClient? client = null;
            int calls = 0;
            using (client = Sandbox.Client(o =>
            {
                o.LogLevel = ApiVideoLogLevel.Debug;
                o.Log = (_, __) =>
                {
                    Interlocked.Increment(ref calls);
                    client!.GetStatistics();
                    client.GetTokenAsync();
                    throw new InvalidOperationException("from a callback");
                };
                o.StateChanged = _ => throw new InvalidOperationException("from a callback");
            }))
            {
                client.GetToken();
                client.Invalidate(client.GetToken());
                client.GetToken();
                Assert.True(calls > 0, "it was called");
            }
        }

        [Test]
        public void TheOriginIsSent()
        {
            using (ApiVideoClient client = Sandbox.Client(o =>
            {
                o.AppName = "my-app";
                o.AppVersion = "1.2.3";
                o.SdkName = "my-sdk";
                o.SdkVersion = "4.5";
            }))
            {
                client.GetToken();
            }
            Assert.Contains("\"av-origin-app\":\"my-app:1.2.3\"", Sandbox.Log());
            Assert.Contains("\"av-origin-sdk\":\"my-sdk:4.5\"", Sandbox.Log());
        }

        [Test]
        public void Tls()
        {
            string url = Environment.GetEnvironmentVariable("APIVIDEO_TEST_TLS_URL")!;
            using (ApiVideoClient trusting = Sandbox.Client(o =>
            {
                o.BaseUrl = url;
                o.CaFile = Environment.GetEnvironmentVariable("APIVIDEO_TEST_CA_FILE");
            }))
            {
                Assert.True(trusting.GetToken().ExpiresIn > TimeSpan.Zero, "there is a token");
            }
            using (ApiVideoClient strange = Sandbox.Client(o => o.BaseUrl = url))
            {
                Assert.Equal(ApiVideoStatus.TlsError, Assert.Throws<ApiVideoNetworkException>(() => strange.GetToken()).Status);
            }
        }

#if NETCOREAPP
        [Test]
        public void AReadOfAValidTokenAllocatesNothing()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Assert.Equal(0L, Allocated(client, 1000), "bytes allocated by 1,000 reads of each kind");
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static long Allocated(ApiVideoClient client, int count)
        {
            long before = 0;
            // The first round is for the compiler.
            for (int round = 0; round < 2; round++)
            {
                client.GetToken();
                before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < count; i++)
                {
                    client.GetToken();
                    client.GetTokenAsync(CancellationToken.None);
                }
            }
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
#endif
    }
}
