using System;

namespace LibApiVideo.Native
{
    /// <summary>
    /// Passes the options to the native library. That checks each of them, and the exception names
    /// the one that is not valid.
    /// </summary>
    internal static class Settings
    {
        private delegate ApiVideoStatus Setter<T>(ConfigHandle config, T value, out ErrorHandle error);

        private delegate ApiVideoStatus PairSetter(ConfigHandle config, byte[] name, byte[] version, out ErrorHandle error);

        internal static ConfigHandle From(ApiVideoClientOptions options, Callbacks callbacks)
        {
            ApiVideoException.Check(NativeMethods.apivideo_config_new(out ConfigHandle config, out ErrorHandle error), error);
            try
            {
                Apply(config, options, callbacks);
                return config;
            }
            catch
            {
                config.Dispose();
                throw;
            }
        }

        private static void Apply(ConfigHandle config, ApiVideoClientOptions options, Callbacks callbacks)
        {
            SetServer(config, options);
            Set(config, nameof(options.AppName), options.AppName, nameof(options.AppVersion), options.AppVersion, NativeMethods.apivideo_config_set_app);
            Set(config, nameof(options.SdkName), options.SdkName, nameof(options.SdkVersion), options.SdkVersion, NativeMethods.apivideo_config_set_sdk);
            Set(config, nameof(options.ConnectTimeout), options.ConnectTimeout, NativeMethods.apivideo_config_set_connect_timeout_ms);
            Set(config, nameof(options.AttemptTimeout), options.AttemptTimeout, NativeMethods.apivideo_config_set_attempt_timeout_ms);
            Set(config, nameof(options.WaitTimeout), options.WaitTimeout, NativeMethods.apivideo_config_set_wait_timeout_ms);
            Set(config, nameof(options.WaitForRecovery), options.WaitForRecovery ? 1 : 0, NativeMethods.apivideo_config_set_wait_for_recovery);
            Set(config, nameof(options.KeepFresh), options.KeepFresh ? 1 : 0, NativeMethods.apivideo_config_set_keep_fresh);
            if (options.MaxReplyBytes is long bytes)
            {
                // What is negative is out of the range in any case.
                Check(nameof(options.MaxReplyBytes), NativeMethods.apivideo_config_set_max_reply_bytes(config, (ulong)Math.Max(0, bytes), out ErrorHandle error), error);
            }
            Set(config, nameof(options.Proxy), options.Proxy, NativeMethods.apivideo_config_set_proxy);
            SetCaFile(config, options);
            SetStore(config, options);
            Set(config, nameof(options.StoreTimeout), options.StoreTimeout, NativeMethods.apivideo_config_set_store_timeout_ms);
            callbacks.Use(config);
        }

        private static void SetStore(ConfigHandle config, ApiVideoClientOptions options)
        {
            if (options.Store is null && Variables.Value(Variables.Store) is string name)
            {
                using (StoreHandle store = TokenStore.OpenNamed(name, Variables.Store, Variables.Value(Variables.CaFile)))
                {
                    Check(Variables.Store, NativeMethods.apivideo_config_set_store(config, store, out ErrorHandle error), error);
                }
            }
            else
            {
                (options.Store ?? TokenStore.None).Use(config);
            }
        }

        /// <summary>
        /// Even if there is none: else the native library would look for one in C's environment,
        /// which keeps what .NET's has lost.
        /// </summary>
        private static void SetCaFile(ConfigHandle config, ApiVideoClientOptions options)
        {
            string? variable = HasTls(options) ? Variables.Value(Variables.CaFile) : null;
            Set(config, options.CaFile is null ? Variables.CaFile : nameof(options.CaFile), options.CaFile ?? variable ?? "",
                NativeMethods.apivideo_config_set_ca_file);
        }

        /// <summary>Without TLS there is nobody to trust.</summary>
        private static bool HasTls(ApiVideoClientOptions options)
        {
            string? url = options.BaseUrl ?? (options.Environment is null ? Variables.Value(Variables.BaseUrl) : null);
            return url is null || !url.StartsWith("http:", StringComparison.OrdinalIgnoreCase);
        }

        private static void SetServer(ConfigHandle config, ApiVideoClientOptions options)
        {
            if (options.Environment != null || options.BaseUrl != null)
            {
                int environment = (int)(options.Environment ?? ApiVideoEnvironment.Production);
                Set(config, nameof(options.Environment), environment, NativeMethods.apivideo_config_set_environment);
                Set(config, nameof(options.BaseUrl), options.BaseUrl, NativeMethods.apivideo_config_set_base_url);
            }
            else if (Variables.Value(Variables.BaseUrl) is string url)
            {
                Set(config, Variables.BaseUrl, url, NativeMethods.apivideo_config_set_base_url);
            }
            else
            {
                Set(config, Variables.Environment, (int)Variables.NamedEnvironment(), NativeMethods.apivideo_config_set_environment);
            }
        }

        private static void Set(ConfigHandle config, string option, int value, Setter<int> setter) =>
            Check(option, setter(config, value, out ErrorHandle error), error);

        private static void Set(ConfigHandle config, string option, string? value, Setter<byte[]> setter)
        {
            if (value != null)
            {
                byte[] text = Utf8.Encode(value, option);
                ApiVideoStatus status = setter(config, text, out ErrorHandle error);
                // A proxy's may hold a password.
                Array.Clear(text, 0, text.Length);
                Check(option, status, error);
            }
        }

        private static void Set(ConfigHandle config, string option, TimeSpan? value, Setter<uint> setter)
        {
            if (value is TimeSpan time)
            {
                double ms = Math.Ceiling(time.TotalMilliseconds);
                if (ms < 0 || ms > uint.MaxValue)
                {
                    throw new ArgumentOutOfRangeException(option, "It must be neither negative nor longer than 49 days.");
                }
                Check(option, setter(config, (uint)ms, out ErrorHandle error), error);
            }
        }

        private static void Set(ConfigHandle config, string nameOption, string? name, string versionOption, string? version, PairSetter setter)
        {
            if (name is null && version is null)
            {
                return;
            }
            if (name is null || version is null)
            {
                throw new ArgumentException($"{nameOption} and {versionOption} go together.", name is null ? nameOption : versionOption);
            }
            Check(nameOption, setter(config, Utf8.Encode(name, nameOption), Utf8.Encode(version, versionOption), out ErrorHandle error), error);
        }

        private static void Check(string option, ApiVideoStatus status, ErrorHandle error) => ApiVideoException.Check(status, error, option);
    }
}
