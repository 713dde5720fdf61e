using System;
using System.Collections.Concurrent;
using System.Reflection;
using LibApiVideo;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Gives the clients of IHttpClientFactory valid api.video tokens.</summary>
    public static class ApiVideoHttpClientBuilderExtensions
    {
        /// <summary>
        /// Sends each request of this <see cref="System.Net.Http.HttpClient"/> with a valid token of the <see cref="ApiVideoClient"/> that is
        /// registered as a service.
        /// </summary>
        /// <param name="builder">What AddHttpClient returned.</param>
        public static IHttpClientBuilder AddApiVideoAuthentication(this IHttpClientBuilder builder) =>
            builder.AddApiVideoAuthentication(services => services.GetRequiredService<ApiVideoClient>());

        /// <summary>
        /// Sends each request of this <see cref="System.Net.Http.HttpClient"/> with a valid token of an <see cref="ApiVideoClient"/> of its own, which
        /// lives as long as the service provider, and writes to its log.
        /// </summary>
        /// <param name="builder">What AddHttpClient returned.</param>
        /// <param name="apiKey">The API key.</param>
        /// <param name="configure">Sets the options.</param>
        public static IHttpClientBuilder AddApiVideoAuthentication(
            this IHttpClientBuilder builder, string apiKey, Action<ApiVideoClientOptions>? configure = null)
        {
            if (builder is null)
            {
                throw new ArgumentNullException(nameof(builder));
            }
            if (apiKey is null)
            {
                throw new ArgumentNullException(nameof(apiKey));
            }
            builder.Services.TryAddSingleton<OwnClients>();
            return builder.AddApiVideoAuthentication(services => services.GetRequiredService<OwnClients>().Get(builder.Name, () =>
            {
                var options = new ApiVideoClientOptions();
                if (services.GetService<ILoggerFactory>() is ILoggerFactory loggers)
                {
                    ILogger logger = loggers.CreateLogger("LibApiVideo");
                    options.Log = (level, line) => logger.Log(LogLevelOf(level), "{Line}", line);
                }
                configure?.Invoke(options);
                return new ApiVideoClient(apiKey, options);
            }));
        }

        /// <summary>Sends each request of this <see cref="System.Net.Http.HttpClient"/> with a valid token of the client that is given.</summary>
        /// <param name="builder">What AddHttpClient returned.</param>
        /// <param name="client">Finds the client; asked again for each handler that IHttpClientFactory makes, so it must not make one itself.</param>
        public static IHttpClientBuilder AddApiVideoAuthentication(this IHttpClientBuilder builder, Func<IServiceProvider, ApiVideoClient> client)
        {
            if (builder is null)
            {
                throw new ArgumentNullException(nameof(builder));
            }
            if (client is null)
            {
                throw new ArgumentNullException(nameof(client));
            }
            builder.Services.PostConfigure<HttpClientFactoryOptions>(builder.Name, KeepTokenOutOfLog);
            return builder.AddHttpMessageHandler(services => new ApiVideoAuthenticationHandler(client(services)));
        }

        /// <summary>
        /// IHttpClientFactory writes the headers of requests to the log at its most talkative level. From Microsoft.Extensions.Http 5.0 on it can be told
        /// to leave some out, by a property that is looked up here because the package works with 3.1 too.
        /// </summary>
        private static void KeepTokenOutOfLog(object options)
        {
            PropertyInfo? property = options.GetType().GetProperty("ShouldRedactHeaderValue");
            if (property?.GetValue(options) is Func<string, bool> others)
            {
                Func<string, bool> redact = header => string.Equals(header, "Authorization", StringComparison.OrdinalIgnoreCase) || others(header);
                property.SetValue(options, redact);
            }
        }

        private static LogLevel LogLevelOf(ApiVideoLogLevel level) => level switch
        {
            ApiVideoLogLevel.Error => LogLevel.Error,
            ApiVideoLogLevel.Warning => LogLevel.Warning,
            ApiVideoLogLevel.Info => LogLevel.Information,
            _ => LogLevel.Debug,
        };

        /// <summary>The clients that belong to one HttpClient's name each. The service provider disposes them.</summary>
        private sealed class OwnClients : IDisposable
        {
            private readonly ConcurrentDictionary<string, Lazy<ApiVideoClient>> _clients = new ConcurrentDictionary<string, Lazy<ApiVideoClient>>();

            public ApiVideoClient Get(string name, Func<ApiVideoClient> make) => _clients.GetOrAdd(name, _ => new Lazy<ApiVideoClient>(make)).Value;

            public void Dispose()
            {
                foreach (Lazy<ApiVideoClient> client in _clients.Values)
                {
                    if (client.IsValueCreated)
                    {
                        client.Value.Dispose();
                    }
                }
            }
        }
    }
}
