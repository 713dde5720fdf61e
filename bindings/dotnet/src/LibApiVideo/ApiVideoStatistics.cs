using System;
using System.Linq;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// A snapshot of what a client has counted since it was made. "Now" marks a present value.
    /// </summary>
    public sealed class ApiVideoStatistics
    {
        private readonly long[] _values;

        internal ApiVideoStatistics(StatisticsHandle handle) : this(statistic => Get(handle, statistic))
        {
        }

        private ApiVideoStatistics(Func<Statistic, long> get) =>
            _values = Enumerable.Range(0, (int)Statistic.StoreFailures + 1).Select(each => get((Statistic)each)).ToArray();

        /// <summary>Requests to <c>POST /auth/api-key</c>.</summary>
        public long AuthenticateRequests => this[Statistic.AuthenticateRequests];

        /// <summary>Requests to <c>POST /auth/refresh</c>.</summary>
        public long RefreshRequests => this[Statistic.RefreshRequests];

        /// <summary>Tokens received.</summary>
        public long TokensGranted => this[Statistic.TokensGranted];

        /// <summary>Refresh tokens that api.video refused.</summary>
        public long RefreshRejections => this[Statistic.RefreshRejections];

        /// <summary>Times that api.video refused the API key.</summary>
        public long KeyRejections => this[Statistic.KeyRejections];

        /// <summary>Exchanges that failed for any other reason.</summary>
        public long Failures => this[Statistic.Failures];

        /// <summary>Tokens that the client withdrew because the API rejected them.</summary>
        public long Invalidations => this[Statistic.Invalidations];

        /// <summary>Callers that stopped waiting before there was an answer.</summary>
        public long Timeouts => this[Statistic.Timeouts];

        /// <summary>Now: callers that wait.</summary>
        public long Waiters => this[Statistic.Waiters];

        /// <summary>Now: exchanges that have failed since the last token.</summary>
        public long ConsecutiveFailures => this[Statistic.ConsecutiveFailures];

        /// <summary>Now: the time until the next try, while exchanges fail; else zero.</summary>
        public TimeSpan RetryIn => TimeSpan.FromMilliseconds(this[Statistic.RetryInMs]);

        /// <summary>Now: 1 while an exchange is under way, else 0.</summary>
        public long ExchangesInFlight => this[Statistic.ExchangesInFlight];

        /// <summary>Tokens taken from the store, which another process got.</summary>
        public long TokensAdopted => this[Statistic.TokensAdopted];

        /// <summary>Operations of the store that failed.</summary>
        public long StoreFailures => this[Statistic.StoreFailures];

        /// <summary>The counters in one line.</summary>
        public override string ToString() =>
            $"{TokensGranted} tokens by {AuthenticateRequests} authentications and {RefreshRequests} refreshes; {RefreshRejections} refresh tokens and "
            + $"{KeyRejections} keys refused, {Failures} failures, {Invalidations} invalidations, {Timeouts} timeouts; {Waiters} wait; {TokensAdopted} tokens adopted, {StoreFailures} failures of the store";

        private long this[Statistic statistic] => _values[(int)statistic];

        internal ApiVideoStatistics Plus(ApiVideoStatistics other) => new ApiVideoStatistics(each => this[each] + other[each]);

        /// <summary>What a client that is gone leaves: nothing of the moment.</summary>
        internal ApiVideoStatistics WithoutNow() => new ApiVideoStatistics(each => IsNow(each) ? 0 : this[each]);

        private static bool IsNow(Statistic statistic) => statistic >= Statistic.Waiters && statistic <= Statistic.ExchangesInFlight;

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
