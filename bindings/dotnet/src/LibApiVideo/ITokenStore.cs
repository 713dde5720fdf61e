using System;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo
{
    /// <summary>
    /// A store of a program's own: a database table, or anything else that can compare and swap.
    /// <see cref="TokenStore.Of"/> makes of it what a client takes.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The calls come one at a time for each <see cref="TokenStore"/>, on a thread of the native
    /// library, which waits for the task: it is none of the thread pool's, and has no
    /// synchronization context. A store that has nothing to wait for returns
    /// <see cref="Task.FromResult{TResult}"/>. A call must not ask a client for a token whose store
    /// this is.
    /// </para>
    /// <para>
    /// The cancellation token is cancelled after <see cref="ApiVideoClientOptions.StoreTimeout"/>.
    /// Then the library goes on without the answer, and makes no other call until this one has
    /// ended. An exception is a failure of the store: it costs no caller its token, is counted in
    /// <see cref="ApiVideoStatistics.StoreFailures"/>, and the first one after a success is told to
    /// the log of the clients that use the store.
    /// </para>
    /// </remarks>
    public interface ITokenStore
    {
        /// <summary>Loads what is kept under a name; null if there is nothing.</summary>
        /// <param name="name">Up to 64 characters of a-z, 0-9 and "-".</param>
        /// <param name="cancellationToken">Is cancelled when nobody waits any more.</param>
        Task<TokenRecord?> LoadAsync(string name, CancellationToken cancellationToken);

        /// <summary>
        /// Keeps a record under a name, if what is kept there now has the expected version. Returns
        /// whether it did.
        /// </summary>
        /// <remarks>
        /// The comparison and the change must be one step for all who use the store: without that a
        /// token is shared all the same, but more exchanges are made.
        /// </remarks>
        /// <param name="name">Up to 64 characters of a-z, 0-9 and "-".</param>
        /// <param name="expected">
        /// The <see cref="TokenRecord.Version"/> to take the place of; 0: there must be nothing.
        /// </param>
        /// <param name="record">What to keep: its version and its data.</param>
        /// <param name="keep">The record may be removed after this time.</param>
        /// <param name="cancellationToken">Is cancelled when nobody waits any more.</param>
        Task<bool> SwapAsync(string name, long expected, TokenRecord record, TimeSpan keep, CancellationToken cancellationToken);
    }

    /// <summary>What an <see cref="ITokenStore"/> keeps under a name.</summary>
    public sealed class TokenRecord
    {
        private const int Largest = 64 * 1024;

        /// <summary>Makes a record.</summary>
        /// <param name="version">
        /// As it was swapped in with the data: 1 or more. 0, without data, says that nothing is
        /// kept, where <paramref name="storeTime"/> is to be told all the same.
        /// </param>
        /// <param name="data">Up to 65,536 bytes. They are not copied.</param>
        /// <param name="storeTime">
        /// Of a record that was loaded: what the store's own clock says now, where processes on
        /// machines with different clocks share it; null for this machine's.
        /// </param>
        public TokenRecord(long version, byte[] data, DateTimeOffset? storeTime = null)
        {
            Data = data ?? throw new ArgumentNullException(nameof(data));
            Version = version > 0 || (version == 0 && data.Length == 0)
                ? version
                : throw new ArgumentOutOfRangeException(nameof(version), "It must be 1 or more, or 0 without data.");
            if (data.Length > Largest)
            {
                throw new ArgumentOutOfRangeException(nameof(data), "It must be 65,536 bytes or less.");
            }
            StoreTime = storeTime;
        }

        /// <summary>Another one for each record that was ever kept under the name.</summary>
        public long Version { get; }

        /// <summary>Sealed: it tells nothing about the key or the token.</summary>
        public byte[] Data { get; }

        /// <summary>What the store's own clock said; null for this machine's.</summary>
        public DateTimeOffset? StoreTime { get; }
    }
}
