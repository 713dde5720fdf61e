using System;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// A snapshot of what a client has counted since it was made. "Now" marks a present value.
    /// </summary>
    public sealed class ApiVideoStatistics
    {
        internal ApiVideoStatistics(StatisticsHandle handle)
        {
            AuthenticateRequests = Get(handle, Statistic.AuthenticateRequests);
            RefreshRequests = Get(handle, Statistic.RefreshRequests);
            TokensGranted = Get(handle, Statistic.TokensGranted);
            RefreshRejections = Get(handle, Statistic.RefreshRejections);
            KeyRejections = Get(handle, Statistic.KeyRejections);
            Failures = Get(handle, Statistic.Failures);
            Invalidations = Get(handle, Statistic.Invalidations);
            Timeouts = Get(handle, Statistic.Timeouts);
            Waiters = Get(handle, Statistic.Waiters);
            ConsecutiveFailures = Get(handle, Statistic.ConsecutiveFailures);
            RetryIn = TimeSpan.FromMilliseconds(Get(handle, Statistic.RetryInMs));
            ExchangesInFlight = Get(handle, Statistic.ExchangesInFlight);
            TokensAdopted = Get(handle, Statistic.TokensAdopted);
            StoreFailures = Get(handle, Statistic.StoreFailures);
        }

        /// <summary>Requests to <c>POST /auth/api-key</c>.</summary>
        public long AuthenticateRequests { get; }

        /// <summary>Requests to <c>POST /auth/refresh</c>.</summary>
        public long RefreshRequests { get; }

        /// <summary>Tokens received.</summary>
        public long TokensGranted { get; }

        /// <summary>Refresh tokens that api.video refused.</summary>
        public long RefreshRejections { get; }

        /// <summary>Times that api.video refused the API key.</summary>
        public long KeyRejections { get; }

        /// <summary>Exchanges that failed for any other reason.</summary>
        public long Failures { get; }

        /// <summary>Tokens that the client withdrew because the API rejected them.</summary>
        public long Invalidations { get; }

        /// <summary>Callers that stopped waiting before there was an answer.</summary>
        public long Timeouts { get; }

        /// <summary>Now: callers that wait.</summary>
        public long Waiters { get; }

        /// <summary>Now: exchanges that have failed since the last token.</summary>
        public long ConsecutiveFailures { get; }

        /// <summary>Now: the time until the next try, while exchanges fail; else zero.</summary>
        public TimeSpan RetryIn { get; }

        /// <summary>Now: 1 while an exchange is under way, else 0.</summary>
        public long ExchangesInFlight { get; }

        /// <summary>Tokens taken from the store, which another process got.</summary>
        public long TokensAdopted { get; }

        /// <summary>Operations of the store that failed.</summary>
        public long StoreFailures { get; }

        private static long Get(StatisticsHandle handle, Statistic statistic)
        {
            ApiVideoException.Check(NativeMethods.apivideo_statistics_get(handle, (int)statistic, out ulong value, out ErrorHandle error), error);
            return checked((long)value);
        }
    }

    /// <summary>The native library's numbers.</summary>
    internal enum Statistic
    {
        AuthenticateRequests = 0,
        RefreshRequests = 1,
        TokensGranted = 2,
        RefreshRejections = 3,
        KeyRejections = 4,
        Failures = 5,
        Invalidations = 6,
        Timeouts = 7,
        Waiters = 8,
        ConsecutiveFailures = 9,
        RetryInMs = 10,
        ExchangesInFlight = 11,
        TokensAdopted = 12,
        StoreFailures = 13,
    }
}
