using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace LibApiVideo.Tests
{
    /// <summary>AddApiVideo(): the client as a service.</summary>
    public class ServicesTests
    {
        private static IConfiguration Section(params (string Key, string Value)[] settings) => new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(s => new KeyValuePair<string, string>("ApiVideo:" + s.Key, s.Value))).Build().GetSection("ApiVideo");

        /// <summary>What a host does when it starts.</summary>
        private static void Start(IServiceProvider services)
        {
            foreach (IHostedService service in services.GetServices<IHostedService>())
            {
                service.StartAsync(CancellationToken.None).GetAwaiter().GetResult();
            }
        }

        [Test]
        public void OneClientFromTheConfiguration()
        {
            var services = new ServiceCollection();
            services.AddApiVideo(Section(("ApiKey", Sandbox.Key), ("BaseUrl", Sandbox.Url), ("AppName", "my-app"), ("AppVersion", "1.2"), ("KeepFresh", "true")));
            services.AddHttpClient("videos").AddApiVideoAuthentication();
            IApiVideoClient client;
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Start(provider);
                client = provider.GetRequiredService<IApiVideoClient>();
                Assert.True(ReferenceEquals(client, provider.GetRequiredService<ApiVideoClient>()), "it is one client");
                Assert.Equal(new Uri(Sandbox.Url), client.BaseUrl);
                HttpClient http = provider.GetRequiredService<IHttpClientFactory>().CreateClient("videos");
                Assert.Equal(HttpStatusCode.OK, http.GetAsync(Sandbox.Url + "/videos").GetAwaiter().GetResult().StatusCode);
                Assert.Contains("my-app:1.2", Sandbox.Log());
            }
            Assert.Throws<ObjectDisposedException>(() => client.GetToken());
        }

        [Test]
        public void EveryOptionButTheCallbacksIsBound()
        {
            var settings = new Dictionary<string, (string Text, object Value)>
            {
                ["ApiKey"] = ("key", "key"),
                ["Environment"] = ("sandbox", ApiVideoEnvironment.Sandbox),
                ["BaseUrl"] = (Sandbox.Url, Sandbox.Url),
                ["AppName"] = ("app", "app"),
                ["AppVersion"] = ("1.2", "1.2"),
                ["SdkName"] = ("sdk", "sdk"),
                ["SdkVersion"] = ("3", "3"),
                ["ConnectTimeout"] = ("00:00:05", TimeSpan.FromSeconds(5)),
                ["AttemptTimeout"] = ("00:00:20", TimeSpan.FromSeconds(20)),
                ["WaitTimeout"] = ("00:01:00", TimeSpan.FromMinutes(1)),
                ["WaitForRecovery"] = ("True", true),
                ["KeepFresh"] = ("true", true),
                ["MaxReplyBytes"] = ("1000", 1000L),
                ["Proxy"] = ("http://proxy:1", "http://proxy:1"),
                ["CaFile"] = (Environment.GetEnvironmentVariable("APIVIDEO_TEST_CA_FILE")!, Environment.GetEnvironmentVariable("APIVIDEO_TEST_CA_FILE")!),
                ["StoreTimeout"] = ("00:00:02", TimeSpan.FromSeconds(2)),
                ["LogLevel"] = ("Debug", ApiVideoLogLevel.Debug),
            };
            var services = new ServiceCollection();
            services.AddApiVideo(Section(settings.Select(s => (s.Key, s.Value.Text)).ToArray()));
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                ApiVideoClientOptions options = provider.GetRequiredService<IOptions<ApiVideoClientOptions>>().Value;
                // The test of the store looks at that one.
                string[] unbound = { "Log", "StateChanged", "Store" };
                foreach (var property in typeof(ApiVideoClientOptions).GetProperties().Where(p => !unbound.Contains(p.Name)))
                {
                    Assert.True(settings.ContainsKey(property.Name), $"{property.Name} is in this test");
                    Assert.Equal(settings[property.Name].Value, property.GetValue(options)!, property.Name);
                }
            }
        }

        [Test]
        public void AnEmptyValueCountsAsNone()
        {
            var services = new ServiceCollection();
            services.AddApiVideo(options => options.ApiKey = "key").AddApiVideo(Section(("ApiKey", ""), ("BaseUrl", ""), ("CaFile", ""), ("Environment", "")));
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                ApiVideoClientOptions options = provider.GetRequiredService<IOptions<ApiVideoClientOptions>>().Value;
                Assert.Equal("key", options.ApiKey);
                Assert.True(options.BaseUrl is null && options.CaFile is null && options.Environment is null, "nothing else is set");
            }
        }

        [Test]
        public void AHostDoesNotStartWithABadOption()
        {
            foreach ((string key, string value, string says) in new[]
            {
                ("WaitTimeout", "05:00:00", "`WaitTimeout` is 18,000 s; it must be from 0 s to 3,600 s."),
                ("WaitTimeout", "soon", "ApiVideo:WaitTimeout of the configuration must be a time such as 00:00:30."),
                ("MaxReplyBytes", "1 MiB", "ApiVideo:MaxReplyBytes of the configuration must be a number of bytes such as 16777216."),
                ("MaxReplyBytes", "0", "`MaxReplyBytes` is 0"),
                ("KeepFresh", "perhaps", "ApiVideo:KeepFresh of the configuration must be true or false."),
                ("Store", "memcached://canary", "ApiVideo:Store of the configuration must be file, file:DIRECTORY, or the URL of a Redis"),
                ("StoreTimeout", "00:01:00", "`StoreTimeout` is 60 s; it must be from 0.001 s to 10 s."),
                ("Environment", "staging", "ApiVideo:Environment of the configuration must be Production or Sandbox."),
                ("Environment", "1", "ApiVideo:Environment of the configuration must be Production or Sandbox."),
                ("Environment", "Production,Sandbox", "ApiVideo:Environment of the configuration must be Production or Sandbox."),
                ("BaseUrl", "ftp://x", "`BaseUrl` must begin with https://."),
                ("ApiKey", "'key'", "`ApiKey` begins or ends with a quote"),
            })
            {
                var services = new ServiceCollection();
                services.AddApiVideo(options => options.ApiKey = "key").AddApiVideo(Section((key, value)));
                using (ServiceProvider provider = services.BuildServiceProvider())
                {
                    Assert.Contains(says, Assert.Throws<OptionsValidationException>(() => Start(provider)).Message);
                }
            }
        }

        private static void GetAToken(ServiceProvider provider) => provider.GetRequiredService<ApiVideoClient>().GetToken();

        private static void SendARequest(ServiceProvider provider) =>
            provider.GetRequiredService<IHttpClientFactory>().CreateClient("own").GetAsync(Sandbox.Url + "/videos").GetAwaiter().GetResult().Dispose();

        /// <summary>
        /// The application's log, and a provider of clients that may be without it.
        /// </summary>
        private static (Logs, ServiceProvider) WithLog(bool taken)
        {
            var logs = new Logs();
            var services = new ServiceCollection();
            services.AddSingleton<ILoggerFactory>(logs);
            if (taken)
            {
                services.Configure<ApiVideoClientOptions>(options => options.Log = null);
            }
            services.AddApiVideo(options => (options.ApiKey, options.BaseUrl) = (Sandbox.Key, Sandbox.Url)).AddApiVideo();
            services.AddHttpClient("own").AddApiVideoAuthentication(Sandbox.Key, options =>
                (options.BaseUrl, options.Log) = (Sandbox.Url, taken ? null : options.Log));
            return (logs, services.BuildServiceProvider());
        }

        [Test]
        public void ClientsWriteToTheApplicationsLog()
        {
            foreach (Action<ServiceProvider> use in new Action<ServiceProvider>[] { GetAToken, SendARequest })
            {
                (Logs logs, ServiceProvider provider) = WithLog(taken: false);
                using (provider)
                {
                    use(provider);
                    Assert.Eventually(() => logs.Lines > 0, "there is a log");
                }
            }
        }

        [Test]
        public void UnlessItIsTakenAway()
        {
            (Logs logs, ServiceProvider provider) = WithLog(taken: true);
            using (provider)
            {
                GetAToken(provider);
                SendARequest(provider);
                Assert.True(provider.GetRequiredService<IOptions<ApiVideoClientOptions>>().Value.Log is null, "the options have no log");
            }
            Assert.Equal(0, logs.Lines);
        }

        [Test]
        public void TheOptionsAreTheApplications()
        {
            var services = new ServiceCollection();
            services.AddApiVideo(options => (options.ApiKey, options.BaseUrl) = ("key", Sandbox.Url));
            var logs = new Logs();
            using (ServiceProvider provider = services.AddSingleton<ILoggerFactory>(logs).BuildServiceProvider())
            {
                ApiVideoClientOptions options = provider.GetRequiredService<IOptions<ApiVideoClientOptions>>().Value;
                var log = options.Log;
                provider.GetRequiredService<ApiVideoClient>();
                Assert.Equal(log, options.Log, "the log, which making a client leaves alone");
            }
        }

        /// <summary>Counts the lines of LibApiVideo.</summary>
        private sealed class Logs : ILoggerFactory, ILogger
        {
            private int _lines;

            internal int Lines => Volatile.Read(ref _lines);

            public ILogger CreateLogger(string categoryName) => categoryName == "LibApiVideo" ? (ILogger)this : NullLogger.Instance;

            public void AddProvider(ILoggerProvider provider)
            {
            }

            public void Dispose()
            {
            }

            public IDisposable BeginScope<TState>(TState state) => NullLogger.Instance.BeginScope(state);

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                Interlocked.Increment(ref _lines);
        }

        /// <summary>The token of a client that is made so, like another program's.</summary>
        private static string AccessToken(Action<IServiceCollection> configure)
        {
            var services = new ServiceCollection();
            services.AddApiVideo(options => (options.ApiKey, options.BaseUrl) = (Sandbox.Key, Sandbox.Url));
            configure(services);
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Start(provider);
                return provider.GetRequiredService<IApiVideoClient>().GetToken().AccessToken;
            }
        }

        [Test]
        public void TheStoreIsTheOptionsOrTheServices()
        {
            string folder = Path.Combine(Path.GetTempPath(), "libapivideo-" + Guid.NewGuid().ToString("N"));
            try
            {
                string token = AccessToken(services => services.AddApiVideo(Section(("Store", "file:" + folder))));
                Assert.Equal(token, AccessToken(services => services.AddSingleton<TokenStore>(new FileTokenStore(folder))), "by a registered TokenStore");
                string another = AccessToken(services => services.AddSingleton<ITokenStore, Table>());
                Assert.True(token != another, "a registered ITokenStore is another");
                Assert.Equal(token, AccessToken(services => services.AddSingleton<ITokenStore, Table>().AddApiVideo(Section(("Store", "file:" + folder)))), "the options' goes before");
                Assert.Equal(2, Sandbox.Requests("api_key"));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        [Test]
        public void ADistributedCacheShares()
        {
            IDistributedCache cache = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
            void Cached(IServiceCollection services) => services.AddSingleton(cache).AddSingleton<ITokenStore, DistributedCacheTokenStore>();
            Assert.Equal(AccessToken(Cached), AccessToken(Cached), "the token");
            Assert.Equal(1, Sandbox.Requests("api_key"));
        }

        [Test]
        public void ADistributedCacheKeepsWhatHasTheExpectedVersion()
        {
            var cache = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
            var store = new DistributedCacheTokenStore(cache);
            TokenRecord? Load() => store.LoadAsync("name", CancellationToken.None).GetAwaiter().GetResult();
            bool Swap(long expected, long version, byte data) =>
                store.SwapAsync("name", expected, new TokenRecord(version, new[] { data }), TimeSpan.FromMinutes(1), CancellationToken.None).GetAwaiter().GetResult();
            Assert.True(Load() is null, "there is nothing");
            Assert.True(!Swap(7, 8, 1), "nothing has no version");
            Assert.True(Swap(0, 7, 2) && Load()!.Version == 7 && Load()!.Data.Single() == 2, "it is kept");
            Assert.True(!Swap(0, 9, 3) && !Swap(6, 9, 3) && Load()!.Data.Single() == 2, "another version is expected in vain");
            Assert.True(Swap(7, 9, 4) && Load()!.Version == 9 && Load()!.Data.Single() == 4, "it takes the place of that");
            foreach (byte[] strange in new[] { new byte[0], new byte[7], new byte[20] })
            {
                cache.Set("name", strange);
                Assert.True(Load() is null, "what is none of ours is as good as nothing");
            }
        }

        [Test]
        public void WithoutOptionsTheEnvironmentCounts()
        {
            var services = new ServiceCollection();
            services.AddApiVideo();
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Assert.Contains("APIVIDEO_API_KEY", Assert.Throws<OptionsValidationException>(() => Start(provider)).Message);
            }
        }

        [Test]
        public void ATestPutsItsOwnClientInTheOnesPlace()
        {
            var services = new ServiceCollection();
            services.AddApiVideo();
            services.AddSingleton<IApiVideoClient>(new FakeClient());
            services.AddHttpClient("videos").ConfigurePrimaryHttpMessageHandler(() => new Echo()).AddApiVideoAuthentication();
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Start(provider);
                HttpClient http = provider.GetRequiredService<IHttpClientFactory>().CreateClient("videos");
                Assert.Equal("Bearer fake", http.GetStringAsync("https://fake.example/videos").GetAwaiter().GetResult());
            }
        }

        private sealed class FakeClient : IApiVideoClient
        {
            public Uri BaseUrl => new Uri("https://fake.example");

            public Token GetToken(TimeSpan? minValidity = null) => new Token("fake", DateTimeOffset.UtcNow.AddHours(1));

            public Task<Token> GetTokenAsync(TimeSpan? minValidity = null, CancellationToken cancellationToken = default) => Task.FromResult(GetToken());

            public void Invalidate(Token rejected)
            {
            }
        }

        private sealed class Echo : HttpMessageHandler
        {
            protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
                Task.FromResult(new HttpResponseMessage { Content = new StringContent(request.Headers.Authorization!.ToString()), RequestMessage = request });
        }
    }
}
