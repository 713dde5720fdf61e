using System;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// Gives valid tokens for one API key, to any number of threads at once. Make one for each key, and keep it as long as the program runs.
    /// </summary>
    public sealed class ApiVideoClient : IDisposable
    {
        private delegate ApiVideoStatus BlockingCall(ClientHandle client, out TokenHandle token, out ErrorHandle error);

        private readonly ClientHandle _handle;
        private readonly CancellationTokenSource _closing = new CancellationTokenSource();
        private readonly object _adopting = new object();

        // Native code has only weak handles to it.
        private readonly Callbacks _callbacks;

        /// <summary>
        /// The latest token, in the form that <see cref="GetTokenAsync(TimeSpan?, CancellationToken)"/> gives away. The native library is asked each time whether it is still the
        /// one to use, so that a stale one does no harm.
        /// </summary>
        private volatile Task<Token>? _latest;

        /// <summary>Makes a client. No request is sent: the first token is got when it is first asked for.</summary>
        /// <param name="apiKey">The key, of the environment that the options tell.</param>
        /// <param name="options">Copied; null for the defaults.</param>
        /// <exception cref="ArgumentException">The key or an option is bad; <see cref="ArgumentException.ParamName"/> tells which.</exception>
        /// <exception cref="DllNotFoundException">There is no native library, or it does not fit; the message says what to do.</exception>
        /// <exception cref="BadImageFormatException">The native library is for another architecture.</exception>
        public ApiVideoClient(string apiKey, ApiVideoClientOptions? options = null)
        {
            if (apiKey is null)
            {
                throw new ArgumentNullException(nameof(apiKey));
            }
            options ??= new ApiVideoClientOptions();
            NativeLoader.EnsureLoaded();
            _callbacks = new Callbacks(options.Log, options.StateChanged);
            _handle = Open(apiKey, options, _callbacks);
            BaseUrl = Uri.TryCreate(options.BaseUrl ?? DefaultBaseUrl(options.Environment), UriKind.Absolute, out Uri? url)
                ? url : throw new ArgumentException(".NET cannot read this URL.", nameof(options.BaseUrl));
        }

        /// <summary>The server that the client's tokens are for.</summary>
        internal Uri BaseUrl { get; }

        private static string DefaultBaseUrl(ApiVideoEnvironment environment) =>
            environment == ApiVideoEnvironment.Sandbox ? "https://sandbox.api.video" : "https://ws.api.video";

        /// <summary>Apart from its caller because Mono looks for a library as soon as it compiles a method that calls it.</summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static ClientHandle Open(string apiKey, ApiVideoClientOptions options, Callbacks callbacks)
        {
            byte[] key = Utf8.Encode(apiKey, nameof(apiKey));
            try
            {
                using (ConfigHandle config = Settings.From(options, callbacks))
                {
                    ApiVideoException.Check(
                        NativeMethods.apivideo_client_new(key, config, out ClientHandle client, out ErrorHandle error), error, nameof(apiKey));
                    return client;
                }
            }
            finally
            {
                Array.Clear(key, 0, key.Length);
            }
        }

        /// <summary>
        /// A valid token: at once when there is one, else when the one exchange that all callers share has given one. Waits for
        /// <see cref="ApiVideoClientOptions.WaitTimeout"/> at most.
        /// </summary>
        /// <param name="minValidity">How long it is to be good, for a request that takes that long; null for any valid token.</param>
        /// <exception cref="ApiVideoException">There is none to be had; the subclass and the properties say why, and whether to retry.</exception>
        /// <exception cref="ArgumentException">A fresh token could not be good that long.</exception>
        /// <exception cref="ObjectDisposedException">The client is disposed, or was while the call waited.</exception>
        public Token GetToken(TimeSpan? minValidity = null)
        {
            return (Current(minValidity) ?? StartGetToken(minValidity, CancellationToken.None)).GetAwaiter().GetResult();
        }

        /// <summary>
        /// As <see cref="GetToken"/>, without blocking: complete when it returns if there is a valid token, and otherwise no thread waits for it.
        /// </summary>
        /// <param name="minValidity">How long it is to be good, for a request that takes that long; null for any valid token.</param>
        /// <param name="cancellationToken">Ends the waiting. The exchange goes on for others.</param>
        /// <exception cref="ObjectDisposedException">The client is disposed. Thrown by the call itself, other failures by the task.</exception>
        public Task<Token> GetTokenAsync(TimeSpan? minValidity = null, CancellationToken cancellationToken = default)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                return Task.FromCanceled<Token>(cancellationToken);
            }
            return Current(minValidity) ?? StartGetToken(minValidity, cancellationToken);
        }

        /// <summary>As <see cref="GetTokenAsync(TimeSpan?, CancellationToken)"/>.</summary>
        /// <param name="cancellationToken">Ends the waiting. The exchange goes on for others.</param>
        public Task<Token> GetTokenAsync(CancellationToken cancellationToken) => GetTokenAsync(null, cancellationToken);

        /// <summary>
        /// Gets a new token with the API key, now. Programs have no need of this: <see cref="GetToken"/> does what is necessary. Calls at the same time
        /// share one exchange.
        /// </summary>
        public Token Authenticate() => AuthenticateAsync().GetAwaiter().GetResult();

        /// <summary>As <see cref="Authenticate"/>. A thread of its own waits for the exchange.</summary>
        /// <param name="cancellationToken">Ends the waiting. The exchange goes on.</param>
        public Task<Token> AuthenticateAsync(CancellationToken cancellationToken = default) =>
            OnOwnThread(NativeMethods.apivideo_authenticate, cancellationToken);

        /// <summary>
        /// Gets a new token with the refresh token, now, and does not fall back on the API key. Programs have no need of this: <see cref="GetToken"/>
        /// does what is necessary. Calls at the same time share one exchange.
        /// </summary>
        /// <exception cref="ApiVideoRefreshRejectedException">The refresh token was refused, or there is none. The access token stays in use.</exception>
        public Token Refresh() => RefreshAsync().GetAwaiter().GetResult();

        /// <summary>As <see cref="Refresh"/>. A thread of its own waits for the exchange.</summary>
        /// <param name="cancellationToken">Ends the waiting. The exchange goes on.</param>
        public Task<Token> RefreshAsync(CancellationToken cancellationToken = default) =>
            OnOwnThread(NativeMethods.apivideo_refresh, cancellationToken);

        /// <summary>
        /// Tells that the API answered 401 to a request with this token: the next call gets another. Does nothing if the client has a newer one already,
        /// so every request that got a 401 may report it. Does not block and sends nothing.
        /// </summary>
        /// <param name="rejected">The token that the request carried.</param>
        /// <exception cref="ApiVideoTokenRejectedException">It replaced a rejected one less than a minute ago, and is kept: yet another would not
        /// help.</exception>
        public void Invalidate(Token rejected)
        {
            if (rejected is null)
            {
                throw new ArgumentNullException(nameof(rejected));
            }
            ThrowIfDisposed();
            ApiVideoException.Check(NativeMethods.apivideo_invalidate_token(_handle, rejected.Handle, out ErrorHandle error), error, nameof(rejected));
        }

        /// <summary>What the client has counted, and what goes on.</summary>
        public ApiVideoStatistics GetStatistics()
        {
            ThrowIfDisposed();
            ApiVideoException.Check(NativeMethods.apivideo_client_get_statistics(_handle, out StatisticsHandle statistics, out ErrorHandle error), error);
            using (statistics)
            {
                return new ApiVideoStatistics(statistics);
            }
        }

        /// <summary>
        /// Ends every waiting call with <see cref="ObjectDisposedException"/>, and waits for nothing. Tokens stay as they are. A call of
        /// <see cref="ApiVideoClientOptions.Log"/> or <see cref="ApiVideoClientOptions.StateChanged"/> may still be under way when this returns.
        /// </summary>
        public void Dispose()
        {
            _closing.Cancel();
            // The native client is freed when the last call that uses it has returned.
            _handle.Dispose();
        }

        internal static ObjectDisposedException Disposed() => new ObjectDisposedException(nameof(ApiVideoClient));

        /// <summary>The managed token for a native one; the same for all who got the same.</summary>
        internal Token Adopt(TokenHandle handle)
        {
            ulong id = NativeMethods.apivideo_token_id(handle);
            lock (_adopting)
            {
                Token? latest = _latest?.Result;
                if (latest?.Id == id)
                {
                    handle.Dispose();
                    return latest;
                }
                var token = new Token(handle, id);
                _latest = Task.FromResult(token);
                return token;
            }
        }

        private void ThrowIfDisposed()
        {
            if (_closing.IsCancellationRequested)
            {
                throw Disposed();
            }
        }

        /// <summary>The latest token, if it is the one to use.</summary>
        private Task<Token>? Current(TimeSpan? minValidity)
        {
            ThrowIfDisposed();
            Task<Token>? latest = _latest;
            return latest != null && minValidity is null && latest.Result.Id == NativeMethods.apivideo_client_token_id(_handle) ? latest : null;
        }

        private Task<Token> StartGetToken(TimeSpan? minValidity, CancellationToken cancellation)
        {
            double ms = Math.Ceiling((minValidity ?? TimeSpan.Zero).TotalMilliseconds);
            if (ms < 0)
            {
                throw new ArgumentOutOfRangeException(nameof(minValidity), "It must not be negative.");
            }
            ApiVideoStatus status = NativeMethods.apivideo_get_token_start(_handle, (ulong)ms, out OperationHandle operation, out ErrorHandle error);
            ApiVideoException.Check(status, error);
            return PendingToken.Start(this, operation, _closing.Token, cancellation);
        }

        /// <summary>
        /// The native library offers these calls in their blocking form only. On a thread of its own such a call holds up neither the caller's
        /// cancellation nor Dispose, and as a background thread not the end of the process.
        /// </summary>
        private Task<Token> OnOwnThread(BlockingCall call, CancellationToken cancellation)
        {
            ThrowIfDisposed();
            if (cancellation.IsCancellationRequested)
            {
                return Task.FromCanceled<Token>(cancellation);
            }
            var pending = new TaskCompletionSource<Token>(TaskCreationOptions.RunContinuationsAsynchronously);
            CancellationTokenRegistration cancelling = cancellation.Register(() => pending.TrySetCanceled(cancellation));
            CancellationTokenRegistration closing = _closing.Token.Register(() => pending.TrySetException(Disposed()));
            var thread = new Thread(() =>
            {
                try
                {
                    ApiVideoException.Check(call(_handle, out TokenHandle token, out ErrorHandle error), error);
                    pending.TrySetResult(Adopt(token));
                }
                catch (Exception e)
                {
                    pending.TrySetException(e);
                }
                cancelling.Dispose();
                closing.Dispose();
            });
            thread.IsBackground = true;
            thread.Name = "LibApiVideo";
            thread.Start();
            return pending.Task;
        }
    }
}
