using System;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Caching.Distributed;

namespace LibApiVideo
{
    /// <summary>
    /// Shares a token by the application's <see cref="IDistributedCache"/>, whatever that is kept
    /// in. Prefer <see cref="RedisTokenStore"/> or <see cref="FileTokenStore"/> where you can.
    /// </summary>
    /// <remarks>
    /// A distributed cache cannot compare and swap. So this shares a token, but does not see to it
    /// that only one process gets it: those that need one at the same moment may each make an
    /// exchange, and of two tokens the older one may stay in the cache. Every process has a valid
    /// token all the same. Nor has a cache a clock: the machines' clocks should agree to the
    /// second.
    /// </remarks>
    public sealed class DistributedCacheTokenStore : ITokenStore
    {
        private const int VersionSize = sizeof(long);

        private readonly IDistributedCache _cache;

        /// <summary>Makes a store. It asks the cache for nothing yet.</summary>
        /// <param name="cache">
        /// The cache. Its keys are "apivideo-" and 32 characters; what it keeps is sealed.
        /// </param>
        public DistributedCacheTokenStore(IDistributedCache cache) => _cache = cache ?? throw new ArgumentNullException(nameof(cache));

        /// <inheritdoc/>
        public async Task<TokenRecord?> LoadAsync(string name, CancellationToken cancellationToken)
        {
            byte[]? kept = await _cache.GetAsync(name, cancellationToken).ConfigureAwait(false);
            if (kept is null || kept.Length < VersionSize)
            {
                return null;
            }
            long version = BitConverter.ToInt64(kept, 0);
            var data = new byte[kept.Length - VersionSize];
            Buffer.BlockCopy(kept, VersionSize, data, 0, data.Length);
            // What nobody of us has written is as good as nothing.
            return version > 0 ? new TokenRecord(version, data) : null;
        }

        /// <inheritdoc/>
        public async Task<bool> SwapAsync(string name, long expected, TokenRecord record, TimeSpan keep, CancellationToken cancellationToken)
        {
            if (record is null)
            {
                throw new ArgumentNullException(nameof(record));
            }
            TokenRecord? there = await LoadAsync(name, cancellationToken).ConfigureAwait(false);
            if ((there?.Version ?? 0) != expected)
            {
                return false;
            }
            var kept = new byte[VersionSize + record.Data.Length];
            BitConverter.GetBytes(record.Version).CopyTo(kept, 0);
            record.Data.CopyTo(kept, VersionSize);
            var options = new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = keep };
            await _cache.SetAsync(name, kept, options, cancellationToken).ConfigureAwait(false);
            return true;
        }
    }
}
