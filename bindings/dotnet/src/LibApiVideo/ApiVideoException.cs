using System;
using System.Threading;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// Why there is no token. The message says in one line what happened, why and what to do; no property holds a key or a token.
    /// <para>There is a subclass for what programs tell apart. The rest (<see cref="ApiVideoStatus.SystemError"/>,
    /// <see cref="ApiVideoStatus.Internal"/>) is of this class itself.</para>
    /// </summary>
    public class ApiVideoException : Exception
    {
        private protected ApiVideoException(ApiVideoStatus status, ErrorHandle error) : base(Utf8.Decode(NativeMethods.apivideo_error_message(error)))
        {
            Status = status;
            int http = NativeMethods.apivideo_error_http_status(error);
            HttpStatus = http == 0 ? (int?)null : http;
            ProblemType = TextOrNull(NativeMethods.apivideo_error_problem_type(error));
            Title = TextOrNull(NativeMethods.apivideo_error_title(error));
            Name = TextOrNull(NativeMethods.apivideo_error_name(error));
            IsRetryable = NativeMethods.apivideo_error_is_retryable(error);
            long retryAfter = NativeMethods.apivideo_error_retry_after_ms(error);
            RetryAfter = retryAfter < 0 ? (TimeSpan?)null : TimeSpan.FromMilliseconds(retryAfter);
        }

        /// <summary>What went wrong.</summary>
        public ApiVideoStatus Status { get; }

        /// <summary>The status of the HTTP reply that led to it; null if there was none.</summary>
        public int? HttpStatus { get; }

        /// <summary>The <c>type</c> of api.video's problem object, a URL; null if there is none.</summary>
        public string? ProblemType { get; }

        /// <summary>The <c>title</c> of api.video's problem object, a sentence; null if there is none.</summary>
        public string? Title { get; }

        /// <summary>The <c>name</c> of api.video's problem object: what is at fault; null if there is none.</summary>
        public string? Name { get; }

        /// <summary>Whether the same call may succeed later without anything being changed.</summary>
        public bool IsRetryable { get; }

        /// <summary>When trying again makes sense, counted from the moment of the error; null where that is not known.</summary>
        public TimeSpan? RetryAfter { get; }

        /// <summary>Throws what the status means, unless it is OK, and frees the error.</summary>
        /// <param name="status">What the call returned.</param>
        /// <param name="error">What the call gave out.</param>
        /// <param name="parameter">What is wrong if an argument is.</param>
        internal static void Check(ApiVideoStatus status, ErrorHandle error, string? parameter = null)
        {
            if (status != ApiVideoStatus.Ok)
            {
                throw From(status, error, parameter);
            }
            error.Dispose();
        }

        /// <summary>The exception for a status that is not OK. Frees the error.</summary>
        internal static Exception From(ApiVideoStatus status, ErrorHandle error, string? parameter = null)
        {
            using (error)
            {
                switch (status)
                {
                    case ApiVideoStatus.InvalidArgument:
                    case ApiVideoStatus.NullArgument:
                    case ApiVideoStatus.InvalidUtf8:
                        return new ArgumentException(Utf8.Decode(NativeMethods.apivideo_error_message(error)), parameter);
                    case ApiVideoStatus.Closed:
                        return ApiVideoClient.Disposed();
                    case ApiVideoStatus.Cancelled:
                        return new OperationCanceledException(Utf8.Decode(NativeMethods.apivideo_error_message(error)), CancellationToken.None);
                    case ApiVideoStatus.KeyRejected:
                        return new ApiVideoKeyRejectedException(status, error);
                    case ApiVideoStatus.RefreshRejected:
                    case ApiVideoStatus.NoRefreshToken:
                        return new ApiVideoRefreshRejectedException(status, error);
                    case ApiVideoStatus.TokenRejected:
                        return new ApiVideoTokenRejectedException(status, error);
                    case ApiVideoStatus.RateLimited:
                        return new ApiVideoRateLimitedException(status, error);
                    case ApiVideoStatus.ServerError:
                    case ApiVideoStatus.ProtocolError:
                        return new ApiVideoServerException(status, error);
                    case ApiVideoStatus.NetworkError:
                    case ApiVideoStatus.TlsError:
                        return new ApiVideoNetworkException(status, error);
                    case ApiVideoStatus.Timeout:
                        return new ApiVideoTimeoutException(status, error);
                    default:
                        return new ApiVideoException(status, error);
                }
            }
        }

        private static string? TextOrNull(IntPtr text)
        {
            string decoded = Utf8.Decode(text);
            return decoded.Length == 0 ? null : decoded;
        }
    }

    /// <summary>api.video refused the API key: it is wrong, revoked, of the other environment, or its account is suspended.</summary>
    public sealed class ApiVideoKeyRejectedException : ApiVideoException
    {
        internal ApiVideoKeyRejectedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary><see cref="ApiVideoClient.Refresh"/>: api.video refused the refresh token, or there is none.</summary>
    public sealed class ApiVideoRefreshRejectedException : ApiVideoException
    {
        internal ApiVideoRefreshRejectedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// <see cref="ApiVideoClient.Invalidate"/>: the API rejected a token that replaced a rejected one less than a minute ago. Yet another
    /// would not help: check the key's rights.
    /// </summary>
    public sealed class ApiVideoTokenRejectedException : ApiVideoException
    {
        internal ApiVideoTokenRejectedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>api.video asked to slow down (429).</summary>
    public sealed class ApiVideoRateLimitedException : ApiVideoException
    {
        internal ApiVideoRateLimitedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>api.video answered with 5xx or 408, or with something that it does not document.</summary>
    public sealed class ApiVideoServerException : ApiVideoException
    {
        internal ApiVideoServerException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>No connection, a lost one, or a TLS handshake that failed: <see cref="ApiVideoException.Status"/> tells.</summary>
    public sealed class ApiVideoNetworkException : ApiVideoException
    {
        internal ApiVideoNetworkException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>No answer in time. The exchange that was waited for goes on.</summary>
    public sealed class ApiVideoTimeoutException : ApiVideoException
    {
        internal ApiVideoTimeoutException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }
}
