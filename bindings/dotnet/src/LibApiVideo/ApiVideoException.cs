using System;
using System.Collections.Generic;
using System.Threading;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// Why a call failed. The message says in one line what happened, why and what to do. No
    /// property holds a key or a token. What programs tell apart has a subclass;
    /// <see cref="ApiVideoStatus.SystemError"/> and <see cref="ApiVideoStatus.Internal"/> have this
    /// class itself.
    /// </summary>
    public class ApiVideoException : Exception
    {
        private protected ApiVideoException(ApiVideoStatus status, ErrorHandle error) : base(MessageOf(error))
        {
            Status = status;
            int http = NativeMethods.apivideo_error_http_status(error);
            HttpStatus = http == 0 ? (int?)null : http;
            ProblemType = TextOrNull(NativeMethods.apivideo_error_problem_type(error));
            Title = TextOrNull(NativeMethods.apivideo_error_title(error));
            Name = TextOrNull(NativeMethods.apivideo_error_name(error));
            Detail = TextOrNull(NativeMethods.apivideo_error_detail(error));
            Problems = ProblemsOf(error);
            IsRetryable = NativeMethods.apivideo_error_is_retryable(error);
            long retryAfter = NativeMethods.apivideo_error_retry_after_ms(error);
            RetryAfter = retryAfter < 0 ? (TimeSpan?)null : TimeSpan.FromMilliseconds(retryAfter);
        }

        /// <summary>What went wrong.</summary>
        public ApiVideoStatus Status { get; }

        /// <summary>
        /// The status of the HTTP reply that led to the error; null if there was none.
        /// </summary>
        public int? HttpStatus { get; }

        /// <summary>
        /// The <c>type</c> of api.video's problem object, a URL; null if there is none.
        /// </summary>
        public string? ProblemType { get; }

        /// <summary>
        /// The <c>title</c> of api.video's problem object, a sentence; null if there is none.
        /// </summary>
        public string? Title { get; }

        /// <summary>
        /// The <c>name</c> of api.video's problem object: the attribute at fault; null if there is
        /// none.
        /// </summary>
        public string? Name { get; }

        /// <summary>
        /// The <c>detail</c> of api.video's problem object: more about this very case; null if
        /// there is none.
        /// </summary>
        public string? Detail { get; }

        /// <summary>
        /// The <c>problems</c> of api.video's problem object: each fault of a request that has
        /// several, such as each attribute that is wrong.
        /// </summary>
        public IReadOnlyList<ApiVideoProblem> Problems { get; }

        /// <summary>
        /// Whether the same call may succeed later without any change. False also for a request
        /// that may have been carried out and must not be twice, such as a POST whose reply was
        /// lost or is a 5xx: look first what became of it. The message says so.
        /// </summary>
        public bool IsRetryable { get; }

        /// <summary>
        /// When to try again, counted from the moment of the error; null if that is not known.
        /// </summary>
        public TimeSpan? RetryAfter { get; }

        /// <summary>Throws the exception for a status that is not OK. Frees the error.</summary>
        /// <param name="status">What the call returned.</param>
        /// <param name="error">The error that the call gave.</param>
        /// <param name="parameter">The name for an argument that is at fault.</param>
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
                        return new ArgumentException(MessageOf(error, parameter), parameter);
                    case ApiVideoStatus.Closed:
                        return ApiVideoClient.Disposed();
                    case ApiVideoStatus.Cancelled:
                        return new OperationCanceledException(MessageOf(error), CancellationToken.None);
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
                    case ApiVideoStatus.RequestRejected:
                        return new ApiVideoRequestRejectedException(status, error);
                    case ApiVideoStatus.FileError:
                        return new ApiVideoFileException(status, error);
                    default:
                        return new ApiVideoException(status, error);
                }
            }
        }

        private static string MessageOf(ErrorHandle error, string? parameter = null) =>
            Words.OfPackage(Utf8.Decode(NativeMethods.apivideo_error_message(error)), parameter);

        private static ApiVideoProblem[] ProblemsOf(ErrorHandle error)
        {
            var problems = new ApiVideoProblem[(int)NativeMethods.apivideo_error_problem_count(error)];
            for (int i = 0; i < problems.Length; i++)
            {
                var at = (UIntPtr)(uint)i;
                problems[i] = new ApiVideoProblem(
                    TextOrNull(NativeMethods.apivideo_error_problem_type_at(error, at)), TextOrNull(NativeMethods.apivideo_error_title_at(error, at)),
                    TextOrNull(NativeMethods.apivideo_error_name_at(error, at)), TextOrNull(NativeMethods.apivideo_error_detail_at(error, at)));
            }
            return problems;
        }

        private static string? TextOrNull(IntPtr text)
        {
            string decoded = Utf8.Decode(text);
            return decoded.Length == 0 ? null : decoded;
        }
    }

    /// <summary>
    /// api.video refused the API key: it is wrong or revoked, it belongs to the other environment,
    /// or its account is suspended.
    /// </summary>
    public sealed class ApiVideoKeyRejectedException : ApiVideoException
    {
        internal ApiVideoKeyRejectedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// <see cref="ApiVideoClient.Refresh"/> failed: api.video refused the refresh token, or there
    /// is none.
    /// </summary>
    public sealed class ApiVideoRefreshRejectedException : ApiVideoException
    {
        internal ApiVideoRefreshRejectedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// <see cref="ApiVideoClient.Invalidate"/> kept the token: it replaced a rejected one less than
    /// a minute ago, and another one would not help. Check what the key may do.
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

    /// <summary>
    /// api.video answered with 5xx or 408, or with something that it does not document.
    /// </summary>
    public sealed class ApiVideoServerException : ApiVideoException
    {
        internal ApiVideoServerException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// There was no connection, it was lost, or the TLS handshake failed.
    /// <see cref="ApiVideoException.Status"/> says which.
    /// </summary>
    public sealed class ApiVideoNetworkException : ApiVideoException
    {
        internal ApiVideoNetworkException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// There was no answer in time. An exchange for a token goes on; a request has ended, but what
    /// the server has of it may still be carried out.
    /// </summary>
    public sealed class ApiVideoTimeoutException : ApiVideoException
    {
        internal ApiVideoTimeoutException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// A file to upload cannot be read, or is not the file that it was when the upload began. Make
    /// a new video for a file that has changed.
    /// </summary>
    public sealed class ApiVideoFileException : ApiVideoException
    {
        internal ApiVideoFileException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// The API answered a request with 4xx, and not with 408 or 429.
    /// <see cref="ApiVideoException.Problems"/> has each of its faults, where it tells them. Do not
    /// send the request again as it is. With 401, two tokens were rejected, or something other than
    /// the token was, which <see cref="ApiVideoException.ProblemType"/> names.
    /// </summary>
    public sealed class ApiVideoRequestRejectedException : ApiVideoException
    {
        internal ApiVideoRequestRejectedException(ApiVideoStatus status, ErrorHandle error) : base(status, error)
        {
        }
    }

    /// <summary>
    /// One fault of a request, in api.video's words. What it does not say is null.
    /// </summary>
    public sealed class ApiVideoProblem
    {
        internal ApiVideoProblem(string? type, string? title, string? name, string? detail)
        {
            Type = type;
            Title = title;
            Name = name;
            Detail = detail;
        }

        /// <summary>A URL that identifies the kind of fault.</summary>
        public string? Type { get; }

        /// <summary>One sentence.</summary>
        public string? Title { get; }

        /// <summary>The attribute at fault.</summary>
        public string? Name { get; }

        /// <summary>More about this very case.</summary>
        public string? Detail { get; }

        /// <summary>The attribute and the sentence.</summary>
        public override string ToString() => Name is null ? Title ?? "" : $"{Name}: {Title}";
    }
}
