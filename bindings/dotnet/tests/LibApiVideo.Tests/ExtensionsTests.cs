using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LibApiVideo.Tests
{
    public class ExtensionsTests
    {
        private static HttpStatusCode Get(IServiceProvider services, string name) =>
            services.GetRequiredService<IHttpClientFactory>().CreateClient(name).GetAsync(Sandbox.Url + "/videos").GetAwaiter().GetResult().StatusCode;

        [Test]
        public void AClientOfItsOwn()
        {
            var services = new ServiceCollection();
            int configured = 0;
            services.AddHttpClient("videos").AddApiVideoAuthentication(Sandbox.Key, options =>
            {
                configured++;
                options.BaseUrl = Sandbox.Url;
            });
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Assert.Equal(HttpStatusCode.OK, Get(provider, "videos"));
                Sandbox.Revoke("access");
                Assert.Equal(HttpStatusCode.OK, Get(provider, "videos"));
            }
            Assert.Equal(1, configured, "the number of clients");
            Assert.Equal(2, Sandbox.Requests("api_key"), "tokens got");
        }

        [Test]
        public void TwoKeysInOneProgram()
        {
            var services = new ServiceCollection();
            services.AddHttpClient("good").AddApiVideoAuthentication(Sandbox.Key, options => options.BaseUrl = Sandbox.Url);
            services.AddHttpClient("bad").AddApiVideoAuthentication("wrong-key", options => options.BaseUrl = Sandbox.Url);
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Assert.Equal(HttpStatusCode.OK, Get(provider, "good"));
                Assert.Throws<ApiVideoKeyRejectedException>(() => Get(provider, "bad"));
            }
        }

        [Test]
        public void OneClientForSeveralHttpClients()
        {
            var services = new ServiceCollection();
            services.AddSingleton(_ => Sandbox.Client());
            services.AddHttpClient("one").AddApiVideoAuthentication();
            services.AddHttpClient("two").AddApiVideoAuthentication(provider => provider.GetRequiredService<ApiVideoClient>());
            ApiVideoClient client;
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                client = provider.GetRequiredService<ApiVideoClient>();
                Assert.Equal(HttpStatusCode.OK, Get(provider, "one"));
                Assert.Equal(HttpStatusCode.OK, Get(provider, "two"));
                Assert.Equal(1, Sandbox.Requests("api_key"), "tokens got");
            }
            Assert.Throws<ObjectDisposedException>(() => client.GetToken());
        }

        [Test]
        public void SixtyFourTasksAcrossExpiries()
        {
            Sandbox.Settings("{\"expires_in\":1}");
            var services = new ServiceCollection();
            services.AddSingleton(_ => Sandbox.Client());
            services.AddHttpClient("videos").AddApiVideoAuthentication();
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                var client = provider.GetRequiredService<ApiVideoClient>();
                var statuses = new ConcurrentBag<HttpStatusCode>();
                Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
                {
                    HttpClient http = provider.GetRequiredService<IHttpClientFactory>().CreateClient("videos");
                    while (client.GetStatistics().TokensGranted < 4)
                    {
                        using (HttpResponseMessage reply = await http.GetAsync(Sandbox.Url + "/videos").ConfigureAwait(false))
                        {
                            statuses.Add(reply.StatusCode);
                        }
                    }
                }))).GetAwaiter().GetResult();
                Assert.True(statuses.All(s => s == HttpStatusCode.OK), "every request went through");
                Assert.Equal(0L, client.GetStatistics().Failures, "failures");
            }
        }

        [Test]
        public void TheLogIsTheApplicationsAndHoldsNoSecret()
        {
            // The factory writes the headers of requests at the level Trace. Some loggers format a
            // line when it is written, others later.
            foreach (bool late in new[] { false, true })
            {
                var lines = new ConcurrentQueue<Func<string>>();
                var services = new ServiceCollection();
                services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Lines(lines, late)));
                services.AddHttpClient("videos").AddApiVideoAuthentication(Sandbox.Key, options => options.BaseUrl = Sandbox.Url);
                using (ServiceProvider provider = services.BuildServiceProvider())
                {
                    Assert.Equal(HttpStatusCode.OK, Get(provider, "videos"));
                    Assert.Eventually(() => lines.Any(l => l().StartsWith("LibApiVideo Information New token", StringComparison.Ordinal)), "the token is told");
                }
                string all = string.Join("\n", lines.Select(line => line()));
                Assert.Contains("Request Headers:", all);
                Assert.Lacks("eyJ", all, "the log");
                Assert.Lacks(Sandbox.Key, all, "the log");
            }
        }

        [Test]
        public void APrimaryHandlerOfTheProgramIsKeptWhereverItIsSet()
        {
            var services = new ServiceCollection();
            services.AddSingleton(_ => Sandbox.Client());
            int sent = 0;
            services.AddHttpClient("videos").AddApiVideoAuthentication().ConfigurePrimaryHttpMessageHandler(() => new Counting(() => sent++));
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Assert.Equal(HttpStatusCode.OK, Get(provider, "videos"));
                Assert.Equal(1, sent, "requests of the program's handler");
            }
        }

        private sealed class Counting : DelegatingHandler
        {
            private readonly Action _count;

            internal Counting(Action count) : base(new HttpClientHandler()) => _count = count;

            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                _count();
                return base.SendAsync(request, cancellationToken);
            }
        }

        [Test]
        public void AnotherOriginCanBeNamed()
        {
            var services = new ServiceCollection();
            services.AddSingleton(_ => Sandbox.Client());
            services.AddHttpClient("videos").AddApiVideoAuthentication(new Uri(Sandbox.Url.Replace("127.0.0.1", "localhost")));
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                HttpClient http = provider.GetRequiredService<IHttpClientFactory>().CreateClient("videos");
                Assert.Equal(HttpStatusCode.Unauthorized, http.GetAsync(Sandbox.Url + "/videos").GetAwaiter().GetResult().StatusCode, "the base URL");
                Assert.Equal(HttpStatusCode.OK, http.GetAsync(Sandbox.Url.Replace("127.0.0.1", "localhost") + "/videos").GetAwaiter().GetResult().StatusCode, "the origin");
            }
        }

        private sealed class Lines : ILoggerProvider, ILogger
        {
            private readonly ConcurrentQueue<Func<string>> _lines;
            private readonly bool _late;
            private readonly string _category;

            internal Lines(ConcurrentQueue<Func<string>> lines, bool late, string category = "") => (_lines, _late, _category) = (lines, late, category);

            public ILogger CreateLogger(string categoryName) => new Lines(_lines, _late, categoryName);

            public IDisposable BeginScope<TState>(TState state) => this;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception exception, Func<TState, Exception, string> formatter)
            {
                string Line() => $"{_category} {logLevel} {formatter(state, exception)}";
                string now = _late ? "" : Line();
                _lines.Enqueue(_late ? (Func<string>)Line : () => now);
            }

            public void Dispose()
            {
            }
        }
    }
}
