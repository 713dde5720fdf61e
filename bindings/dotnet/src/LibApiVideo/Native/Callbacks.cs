using System;

namespace LibApiVideo.Native
{
    /// <summary>
    /// A client's log and state callbacks. The client holds this object; native code only a
    /// <see cref="Registration"/> of it.
    /// </summary>
    internal sealed class Callbacks
    {
        // Native code keeps pointers to them: they live as long as the program.
        private static readonly NativeMethods.apivideo_log_callback s_log = OnLog;
        private static readonly NativeMethods.apivideo_state_callback s_stateChanged = OnStateChanged;

        private readonly Action<ApiVideoLogLevel, string>? _log;
        private readonly ApiVideoLogLevel _level;
        private readonly Action<TokenState>? _stateChanged;
        private volatile bool _closed;

        internal Callbacks(ApiVideoClientOptions options) => (_log, _level, _stateChanged) = (options.Log, options.LogLevel, options.StateChanged);

        /// <summary>Hands over what there is of them.</summary>
        internal void Use(ConfigHandle config)
        {
            if (_log != null)
            {
                ApiVideoStatus status = NativeMethods.apivideo_config_set_log(
                    config, (int)_level, s_log, Registration.New(this), Registration.Release, out ErrorHandle error);
                ApiVideoException.Check(status, error, nameof(ApiVideoClientOptions.LogLevel));
            }
            if (_stateChanged != null)
            {
                ApiVideoStatus status = NativeMethods.apivideo_config_set_on_state(
                    config, s_stateChanged, Registration.New(this), Registration.Release, out ErrorHandle error);
                ApiVideoException.Check(status, error, nameof(ApiVideoClientOptions.StateChanged));
            }
        }

        /// <summary>
        /// Logs what the native library does not know of. It does not throw.
        /// </summary>
        internal void Warn(string line)
        {
            if (!_closed && _level >= ApiVideoLogLevel.Warning)
            {
                Quietly(() => _log?.Invoke(ApiVideoLogLevel.Warning, line));
            }
        }

        /// <summary>The client is closed. Native code knows that without it.</summary>
        internal void Close() => _closed = true;

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_log_callback))]
        private static void OnLog(int level, IntPtr message, IntPtr userData) =>
            Quietly(() => Registration.Find<Callbacks>(userData)?._log?.Invoke((ApiVideoLogLevel)level, Utf8.Decode(message)));

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_state_callback))]
        private static void OnStateChanged(int state, IntPtr userData) =>
            Quietly(() => Registration.Find<Callbacks>(userData)?._stateChanged?.Invoke((TokenState)state));

        private static void Quietly(Action act)
        {
            try
            {
                act();
            }
            catch (Exception)
            {
                // Native code cannot take an exception, and nobody else is there to have it.
            }
        }
    }
}
