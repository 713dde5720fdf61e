using System;
using System.Collections.Concurrent;
using System.Net.Http;
using System.Reflection;
using LibApiVideo;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;

// May be trimmed: it uses no reflection.
[assembly: AssemblyMetadata("IsTrimmable", "True")]

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Gives the clients of IHttpClientFactory valid api.video tokens.</summary>
    /// <remarks>
    /// The token is added below all other handlers of the client, those that write the factory's
    /// log included. So the log never holds it.
    /// </remarks>
    public static class ApiVideoHttpClientBuilderExtensions
    {
        /// <summary>
        /// Authenticates the requests of this <see cref="System.Net.Http.HttpClient"/> with the
        /// <see cref="IApiVideoClient"/> or <see cref="ApiVideoClient"/> that is registered as a
        /// service, as AddApiVideo() does.
        /// </summary>
        /// <param name="builder">What AddHttpClient returned.</param>
        /// <param name="apiOrigin">
        /// The origin that gets the token; null for the client's base URL. See
        /// <see cref="ApiVideoAuthenticationHandler.ApiOrigin"/>.
        /// </param>
        public static IHttpClientBuilder AddApiVideoAuthentication(this IHttpClientBuilder builder, Uri? apiOrigin = null) =>
            builder.AddApiVideoAuthentication(services => services.GetService<IApiVideoClient>() ?? services.GetRequiredService<ApiVideoClient>(), apiOrigin);

        /// <summary>
        /// Authenticates the requests of this <see cref="System.Net.Http.HttpClient"/> with an
        /// <see cref="ApiVideoClient"/> of its own. That lives as long as the service provider and
        /// writes to its log, unless <paramref name="configure"/> sets another log, or null.
        /// </summary>
        /// <param name="builder">What AddHttpClient returned.</param>
        /// <param name="apiKey">The API key.</param>
        /// <param name="configure">Sets the options.</param>
        /// <param name="apiOrigin">
        /// The origin that gets the token; null for the client's base URL. See
        /// <see cref="ApiVideoAuthenticationHandler.ApiOrigin"/>.
        /// </param>
        public static IHttpClientBuilder AddApiVideoAuthentication(
            this IHttpClientBuilder builder, string apiKey, Action<ApiVideoClientOptions>? configure = null, Uri? apiOrigin = null)
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
            return builder.AddApiVideoAuthentication(
                services => services.GetRequiredService<OwnClients>().Get(builder.Name, () => NewClient(services, apiKey, configure)), apiOrigin);
        }

        /// <summary>
        /// Authenticates the requests of this <see cref="System.Net.Http.HttpClient"/> with the
        /// client that <paramref name="client"/> finds.
        /// </summary>
        /// <param name="builder">What AddHttpClient returned.</param>
        /// <param name="client">
        /// Finds the client. It is asked again for each handler that IHttpClientFactory makes, so
        /// it must not make a client itself.
        /// </param>
        /// <param name="apiOrigin">
        /// The origin that gets the token; null for the client's base URL. See
        /// <see cref="ApiVideoAuthenticationHandler.ApiOrigin"/>.
        /// </param>
        public static IHttpClientBuilder AddApiVideoAuthentication(
            this IHttpClientBuilder builder, Func<IServiceProvider, IApiVideoClient> client, Uri? apiOrigin = null)
        {
            if (builder is null)
            {
                throw new ArgumentNullException(nameof(builder));
            }
            if (client is null)
            {
                throw new ArgumentNullException(nameof(client));
            }
            // After every other configuration, so that none sets another primary handler in its
            // place.
            builder.Services.PostConfigure<HttpClientFactoryOptions>(builder.Name, options => options.HttpMessageHandlerBuilderActions.Add(
                handlers => handlers.PrimaryHandler = NewHandler(client(handlers.Services), handlers.PrimaryHandler, apiOrigin)));
            return builder;
        }

        private static ApiVideoAuthenticationHandler NewHandler(IApiVideoClient client, HttpMessageHandler primary, Uri? apiOrigin)
        {
            var handler = new ApiVideoAuthenticationHandler(client, primary);
            if (apiOrigin != null)
            {
                handler.ApiOrigin = apiOrigin;
            }
            return handler;
        }

        private static ApiVideoClient NewClient(IServiceProvider services, string apiKey, Action<ApiVideoClientOptions>? configure)
        {
            var options = new ApiVideoClientOptions { ApiKey = apiKey };
            ApiVideoServiceCollectionExtensions.FillIn(options, services);
            configure?.Invoke(options);
            return new ApiVideoClient(options);
        }

        /// <summary>
        /// The clients that belong to one HttpClient's name each. The service provider disposes
        /// them.
        /// </summary>
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
