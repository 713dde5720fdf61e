using System;

namespace LibApiVideo
{
    /// <summary>
    /// The settings of a client. The client checks and copies them when it is made; an
    /// <see cref="ArgumentException"/> names the one that is not valid. The native library has a
    /// default for each that is null.
    /// </summary>
    /// <remarks>
    /// When the client is made, the environment's APIVIDEO_API_KEY, APIVIDEO_BASE_URL or
    /// APIVIDEO_ENVIRONMENT, APIVIDEO_CA_FILE and APIVIDEO_STORE fill in for what is null here. A
    /// variable that is not valid is named by an <see cref="ArgumentException"/> as well.
    /// </remarks>
    public sealed class ApiVideoClientOptions
    {
        /// <summary>
        /// The API key, unless the constructor is given one. Keep it out of files that many can
        /// read.
        /// </summary>
        public string? ApiKey { get; set; }

        /// <summary>
        /// Which of api.video's environments the key belongs to. Default: production.
        /// </summary>
        public ApiVideoEnvironment? Environment { get; set; }

        /// <summary>
        /// Another server than api.video's: <c>https://host[:port][/path]</c>. <c>http://</c> is
        /// allowed for "localhost" and loopback addresses only. If it is set,
        /// <see cref="Environment"/> has no effect.
        /// </summary>
        public string? BaseUrl { get; set; }

        /// <summary>
        /// The application's name, which is sent as AV-Origin-App together with
        /// <see cref="AppVersion"/>: 1 to 50 characters of A-Z, a-z, 0-9, "-" and "_".
        /// </summary>
        public string? AppName { get; set; }

        /// <summary>
        /// The application's version: 1 to 3 numbers of 1 to 3 digits, with dots between them.
        /// </summary>
        public string? AppVersion { get; set; }

        /// <summary>
        /// The name of an SDK that is built on this package, which is sent as AV-Origin-Sdk. The
        /// rules are those of <see cref="AppName"/>.
        /// </summary>
        public string? SdkName { get; set; }

        /// <summary>
        /// The version of that SDK. The rules are those of <see cref="AppVersion"/>.
        /// </summary>
        public string? SdkVersion { get; set; }

        /// <summary>
        /// The time limit for resolving the server's name, and the same again for connecting and
        /// the TLS handshake: up to 60 seconds. Default: 3 seconds.
        /// </summary>
        public TimeSpan? ConnectTimeout { get; set; }

        /// <summary>
        /// The time limit for one HTTP exchange as a whole: up to 5 minutes. Default: 10 seconds.
        /// </summary>
        public TimeSpan? AttemptTimeout { get; set; }

        /// <summary>
        /// How long a call waits for its answer: up to an hour. Default: 30 seconds. With zero a
        /// call never waits: it returns a token that is there, or else starts the exchange and
        /// fails. A request then always fails, and nothing of it is sent.
        /// </summary>
        public TimeSpan? WaitTimeout { get; set; }

        /// <summary>
        /// What a call does while no valid token can be obtained. With false, the default, it fails
        /// at once with the error of the last exchange. With true it waits for the next tries,
        /// unless the next one comes after <see cref="WaitTimeout"/> or the key was rejected.
        /// </summary>
        public bool WaitForRecovery { get; set; }

        /// <summary>
        /// Whether the token is renewed even while nobody asks for it. With false, the default, it
        /// is renewed when somebody asks.
        /// </summary>
        public bool KeepFresh { get; set; }

        /// <summary>
        /// How many bytes the body of a reply to a request may have: 1 to 1,073,741,824. Default:
        /// 16,777,216.
        /// </summary>
        public long? MaxReplyBytes { get; set; }

        /// <summary>
        /// The proxy: <c>scheme://[user:password@]host[:port]</c>, with user and password
        /// percent-encoded; "" for none. The scheme is http, https, socks4, socks4a, socks5 or
        /// socks5h. Default: the first of the environment's https_proxy, HTTPS_PROXY, all_proxy and
        /// ALL_PROXY, unless no_proxy or NO_PROXY names the server. The environment is read when
        /// the client is made, and not again.
        /// </summary>
        public string? Proxy { get; set; }

        /// <summary>
        /// A PEM file of certificates that are trusted in addition to the system's: those of CAs,
        /// or a server's own. It is read again when it has changed. The system's are where
        /// SSL_CERT_FILE and SSL_CERT_DIR of the environment say, if they are set. Default: that of
        /// APIVIDEO_CA_FILE of the environment; "" for none.
        /// </summary>
        public string? CaFile { get; set; }

        /// <summary>
        /// Where the processes that use this key share its token, so that all of them together make
        /// one exchange for each. With a store, tokens have no refresh token. Default: what
        /// APIVIDEO_STORE of the environment says, as for <see cref="TokenStore.Named"/>, or
        /// nowhere if it is not set; <see cref="TokenStore.None"/> for nowhere in any case.
        /// </summary>
        public TokenStore? Store { get; set; }

        /// <summary>
        /// The time limit for one operation of the store: up to 10 seconds. Default: 1 second.
        /// </summary>
        public TimeSpan? StoreTimeout { get; set; }

        /// <summary>
        /// Is called with each line of the log up to <see cref="LogLevel"/>, from any thread and by
        /// several at once. No line holds a key or a token. The call may use the client, but must
        /// not block for long. Exceptions that it throws are lost.
        /// </summary>
        public Action<ApiVideoLogLevel, string>? Log { get; set; }

        /// <summary>
        /// How much of the log you want. Default: <see cref="ApiVideoLogLevel.Info"/>.
        /// </summary>
        public ApiVideoLogLevel LogLevel { get; set; } = ApiVideoLogLevel.Info;

        /// <summary>
        /// Is called when what the client can give has changed. The rules are those of
        /// <see cref="Log"/>. A state that comes with time alone, such as
        /// <see cref="TokenState.Expired"/>, is reported when somebody next asks for a token.
        /// </summary>
        public Action<TokenState>? StateChanged { get; set; }

        /// <summary>Says which server the options name, and nothing secret.</summary>
        public override string ToString() =>
            $"ApiVideoClientOptions for {BaseUrl ?? Environment?.ToString() ?? "the default environment"}, {(ApiKey is null ? "no key" : "key redacted")}";
    }
}
