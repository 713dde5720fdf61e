using System;

namespace LibApiVideo
{
    /// <summary>
    /// Settings for a client, which checks and copies them when it is made: an <see cref="ArgumentException"/> names the bad one. What is null
    /// has the native library's default.
    /// </summary>
    public sealed class ApiVideoClientOptions
    {
        /// <summary>Which of api.video's environments the key belongs to. Default: production.</summary>
        public ApiVideoEnvironment Environment { get; set; }

        /// <summary>
        /// Another server than api.video's: <c>https://host[:port][/path]</c>; <c>http://</c> only with "localhost" or a loopback address. It goes
        /// before <see cref="Environment"/>.
        /// </summary>
        public string? BaseUrl { get; set; }

        /// <summary>
        /// The application's name, sent as AV-Origin-App together with <see cref="AppVersion"/>: 1 to 50 of A-Z, a-z, 0-9, "-" and "_".
        /// </summary>
        public string? AppName { get; set; }

        /// <summary>The application's version: 1 to 3 numbers of 1 to 3 digits with dots between them.</summary>
        public string? AppVersion { get; set; }

        /// <summary>The name of an SDK that is built on this package, sent as AV-Origin-Sdk. As <see cref="AppName"/>.</summary>
        public string? SdkName { get; set; }

        /// <summary>The version of that SDK. As <see cref="AppVersion"/>.</summary>
        public string? SdkVersion { get; set; }

        /// <summary>
        /// The time for resolving the server's name, and again for the connection with its TLS handshake: up to 60 s. Default: 3 s.
        /// </summary>
        public TimeSpan? ConnectTimeout { get; set; }

        /// <summary>The time for one HTTP exchange as a whole: up to 5 min. Default: 10 s.</summary>
        public TimeSpan? AttemptTimeout { get; set; }

        /// <summary>
        /// How long a call waits for its answer: up to an hour. Default: 30 s. With zero a call takes only what is there, but starts the exchange
        /// that is needed.
        /// </summary>
        public TimeSpan? WaitTimeout { get; set; }

        /// <summary>
        /// What a caller gets while no valid token can be had: the last try's error, at once, or, with true, what the next tries give, unless the
        /// next one is after its wait timeout.
        /// </summary>
        public bool WaitForRecovery { get; set; }

        /// <summary>Renews the token ahead of its expiry even when nobody asks for it. Default: it is renewed when it is asked for.</summary>
        public bool KeepFresh { get; set; }

        /// <summary>
        /// The proxy: <c>scheme://[user:password@]host[:port]</c>, user and password percent-encoded; "" for none. The scheme is http, https,
        /// socks4, socks4a, socks5 or socks5h. Default: the first of the environment's https_proxy, HTTPS_PROXY, all_proxy and ALL_PROXY,
        /// unless no_proxy or NO_PROXY names the server. The environment is read when the client is made, and not again.
        /// </summary>
        public string? Proxy { get; set; }

        /// <summary>
        /// A file of certificates in PEM, of CAs or a server's own, trusted besides the system's, and read again when it has changed. The system's
        /// are where SSL_CERT_FILE and SSL_CERT_DIR of the environment say, if they are set.
        /// </summary>
        public string? CaFile { get; set; }

        /// <summary>
        /// Called with each line of the log up to <see cref="LogLevel"/>, from any thread, several at once. No line holds a key or a token. An
        /// exception that it throws is lost. It may use the client, and must not block for long.
        /// </summary>
        public Action<ApiVideoLogLevel, string>? Log { get; set; }

        /// <summary>How much of the log is wanted. Default: <see cref="ApiVideoLogLevel.Info"/>.</summary>
        public ApiVideoLogLevel LogLevel { get; set; } = ApiVideoLogLevel.Info;

        /// <summary>
        /// Called when what the client can give has changed; otherwise as <see cref="Log"/>. A state that comes with time alone, such as
        /// <see cref="TokenState.Expired"/>, is told when somebody next asks.
        /// </summary>
        public Action<TokenState>? StateChanged { get; set; }
    }
}
