using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using LibApiVideo;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Registers an api.video client as a service.</summary>
    public static class ApiVideoServiceCollectionExtensions
    {
        private static readonly ServiceDescriptor s_fromServices = ServiceDescriptor.Singleton<IConfigureOptions<ApiVideoClientOptions>, FromServices>();

        /// <summary>
        /// Registers one <see cref="ApiVideoClient"/> for the whole program, as itself and as
        /// <see cref="IApiVideoClient"/>. It has the options <see cref="ApiVideoClientOptions"/>,
        /// and what they leave out the environment's variables fill in. It writes to the
        /// application's log as "LibApiVideo", unless the options are given another log, or null.
        /// It shares its token by the <see cref="TokenStore"/> or the <see cref="ITokenStore"/>
        /// that is registered as a service, unless the options have a store. A host that starts
        /// checks the options, and does not start with an <see cref="OptionsValidationException"/>
        /// if one is not valid.
        /// </summary>
        /// <param name="services">The services.</param>
        /// <param name="configure">Sets the options.</param>
        public static IServiceCollection AddApiVideo(this IServiceCollection services, Action<ApiVideoClientOptions>? configure = null)
        {
            if (services is null)
            {
                throw new ArgumentNullException(nameof(services));
            }
            services.AddOptions();
            if (!services.Contains(s_fromServices))
            {
                // Before whatever else sets the options, so that it can take log and store away.
                services.Insert(0, s_fromServices);
            }
            if (configure != null)
            {
                services.Configure(configure);
            }
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ApiVideoClientOptions>, Validation>());
            services.TryAddSingleton(provider => new ApiVideoClient(provider.GetRequiredService<IOptions<ApiVideoClientOptions>>().Value));
            services.TryAddSingleton<IApiVideoClient>(provider => provider.GetRequiredService<ApiVideoClient>());
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, Start>());
            return services;
        }

        /// <summary>
        /// Does the same with options from the application's configuration, such as a section
        /// "ApiVideo" of appsettings.json. Each key is the name of an option; "Store" is what
        /// <see cref="TokenStore.Named"/> takes.
        /// </summary>
        /// <param name="services">The services.</param>
        /// <param name="configuration">The section. It is read when the client is made.</param>
        public static IServiceCollection AddApiVideo(this IServiceCollection services, IConfiguration configuration)
        {
            if (configuration is null)
            {
                throw new ArgumentNullException(nameof(configuration));
            }
            return services.AddApiVideo(options => Bind(configuration, options));
        }

        /// <summary>Sets the application's log and store, where it has them.</summary>
        internal static void FillIn(ApiVideoClientOptions options, IServiceProvider services)
        {
            options.Log = LogOf(services);
            options.Store = services.GetService<TokenStore>() ?? OwnStore(services);
        }

        private static Action<ApiVideoLogLevel, string>? LogOf(IServiceProvider services)
        {
            ILogger? logger = services.GetService<ILoggerFactory>()?.CreateLogger("LibApiVideo");
            if (logger is null)
            {
                return null;
            }
            return (level, line) => logger.Log(LogLevelOf(level), "{Line}", line);
        }

        private static TokenStore? OwnStore(IServiceProvider services) =>
            services.GetService<ITokenStore>() is ITokenStore store ? TokenStore.Of(store) : null;

        private static LogLevel LogLevelOf(ApiVideoLogLevel level) => level switch
        {
            ApiVideoLogLevel.Error => LogLevel.Error,
            ApiVideoLogLevel.Warning => LogLevel.Warning,
            ApiVideoLogLevel.Info => LogLevel.Information,
            _ => LogLevel.Debug,
        };

        /// <summary>Without reflection, so that a program can be trimmed.</summary>
        private static void Bind(IConfiguration from, ApiVideoClientOptions to)
        {
            to.ApiKey = Text(from, nameof(to.ApiKey)) ?? to.ApiKey;
            to.Environment = Value<ApiVideoEnvironment>(from, nameof(to.Environment), TryParse, "Production or Sandbox") ?? to.Environment;
            to.BaseUrl = Text(from, nameof(to.BaseUrl)) ?? to.BaseUrl;
            to.AppName = Text(from, nameof(to.AppName)) ?? to.AppName;
            to.AppVersion = Text(from, nameof(to.AppVersion)) ?? to.AppVersion;
            to.SdkName = Text(from, nameof(to.SdkName)) ?? to.SdkName;
            to.SdkVersion = Text(from, nameof(to.SdkVersion)) ?? to.SdkVersion;
            to.ConnectTimeout = Time(from, nameof(to.ConnectTimeout)) ?? to.ConnectTimeout;
            to.AttemptTimeout = Time(from, nameof(to.AttemptTimeout)) ?? to.AttemptTimeout;
            to.WaitTimeout = Time(from, nameof(to.WaitTimeout)) ?? to.WaitTimeout;
            to.WaitForRecovery = Switch(from, nameof(to.WaitForRecovery)) ?? to.WaitForRecovery;
            to.KeepFresh = Switch(from, nameof(to.KeepFresh)) ?? to.KeepFresh;
            to.MaxReplyBytes = Value<long>(from, nameof(to.MaxReplyBytes), TryParse, "a number of bytes such as 16777216") ?? to.MaxReplyBytes;
            // Empty means none.
            to.Proxy = from[nameof(to.Proxy)] ?? to.Proxy;
            to.CaFile = Text(from, nameof(to.CaFile)) ?? to.CaFile;
            to.Store = Store(from, nameof(to.Store), to.CaFile) ?? to.Store;
            to.StoreTimeout = Time(from, nameof(to.StoreTimeout)) ?? to.StoreTimeout;
            to.LogLevel = Value<ApiVideoLogLevel>(from, nameof(to.LogLevel), TryParse, "Off, Error, Warning, Info or Debug") ?? to.LogLevel;
        }

        /// <summary>An empty value is the usual stand-in for one that is set elsewhere.</summary>
        private static string? Text(IConfiguration from, string name) => string.IsNullOrEmpty(from[name]) ? null : from[name];

        private delegate bool Parser<T>(string text, out T value);

        private static T? Value<T>(IConfiguration from, string name, Parser<T> parse, string expected) where T : struct
        {
            if (!(Text(from, name) is string text))
            {
                return null;
            }
            return parse(text, out T value) ? value : throw Bad(from, name, expected);
        }

        private static OptionsValidationException Bad(IConfiguration from, string name, string expected)
        {
            string path = from is IConfigurationSection section ? $"{section.Path}:{name}" : name;
            string[] failures = { $"{path} of the configuration must be {expected}." };
            return new OptionsValidationException(nameof(ApiVideoClientOptions), typeof(ApiVideoClientOptions), failures);
        }

        private static TokenStore? Store(IConfiguration from, string name, string? caFile)
        {
            try
            {
                return Text(from, name) is string text ? TokenStore.Named(text, caFile) : null;
            }
            catch (ArgumentException)
            {
                throw Bad(from, name, "file, file:DIRECTORY, or the URL of a Redis, and its CaFile one that can be read");
            }
        }

        private static TimeSpan? Time(IConfiguration from, string name) => Value<TimeSpan>(from, name, TryParse, "a time such as 00:00:30");

        private static bool? Switch(IConfiguration from, string name) => Value<bool>(from, name, bool.TryParse, "true or false");

        private static bool TryParse(string text, out TimeSpan value) => TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out value);

        private static bool TryParse(string text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

        /// <summary>A name, and neither a number nor a list.</summary>
        private static bool TryParse<T>(string text, out T value) where T : struct =>
            Enum.TryParse(text, ignoreCase: true, out value) && text.All(char.IsLetter);

        private sealed class FromServices : IConfigureOptions<ApiVideoClientOptions>
        {
            private readonly IServiceProvider _services;

            public FromServices(IServiceProvider services) => _services = services;

            public void Configure(ApiVideoClientOptions options) => FillIn(options, _services);
        }

        /// <summary>The client itself knows what is valid, and making one sends nothing.</summary>
        private sealed class Validation : IValidateOptions<ApiVideoClientOptions>
        {
            public ValidateOptionsResult Validate(string name, ApiVideoClientOptions options)
            {
                try
                {
                    new ApiVideoClient(options).Dispose();
                    return ValidateOptionsResult.Success;
                }
                catch (ArgumentException e)
                {
                    return ValidateOptionsResult.Fail(e.Message);
                }
            }
        }

        /// <summary>
        /// Has the client made when the host starts, and not at the first request.
        /// </summary>
        private sealed class Start : IHostedService
        {
            public Start(IApiVideoClient client) => _ = client;

            public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

            public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        }
    }
}
