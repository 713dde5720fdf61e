using System;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// A place where the processes that use one API key share its token, so that all of them
    /// together make one exchange for each token: a <see cref="FileTokenStore"/>, a
    /// <see cref="RedisTokenStore"/>, or a program's own by <see cref="Of"/>. Any number of
    /// clients, with any keys, may use one, from any thread.
    /// </summary>
    /// <remarks>
    /// What is kept there is sealed with a key that comes from the API key, under a name that comes
    /// from it too: who can read the store learns neither keys nor tokens. Whatever happens to a
    /// store, a client is never worse off than without one. It need not be disposed, and may be at
    /// any time: clients that use it go on.
    /// </remarks>
    public class TokenStore : IDisposable
    {
        private readonly StoreHandle? _handle;

        private TokenStore()
        {
        }

        /// <param name="open">
        /// Makes the native store. It is a delegate because Mono looks for a library as soon as it
        /// compiles a method that calls it.
        /// </param>
        private protected TokenStore(Func<StoreHandle> open)
        {
            NativeLoader.EnsureLoaded();
            _handle = open();
        }

        private TokenStore(OwnStore own) : this(own.Open)
        {
            Own = own;
        }

        /// <summary>
        /// No store, whatever APIVIDEO_STORE of the environment says: the client gets a token for
        /// itself.
        /// </summary>
        public static TokenStore None { get; } = new TokenStore();

        /// <summary>
        /// The program's own, if it is that. Native code has only weak references to it: the
        /// clients that use it keep it.
        /// </summary>
        internal OwnStore? Own { get; }

        /// <summary>Makes a store of anything that can compare and swap.</summary>
        /// <param name="store">What loads and swaps.</param>
        public static TokenStore Of(ITokenStore store) =>
            new TokenStore(new OwnStore(store ?? throw new ArgumentNullException(nameof(store))));

        /// <summary>
        /// Makes the store that a text names, such as one of a program's configuration.
        /// </summary>
        /// <param name="name">
        /// As APIVIDEO_STORE of the environment: <c>file</c>, <c>file:</c> and a directory, or a
        /// URL as for <see cref="RedisTokenStore(string, string)"/>.
        /// </param>
        /// <param name="caFile">As there.</param>
        /// <exception cref="ArgumentException">
        /// It names no store. The message does not repeat it: it may hold a password. A place that
        /// cannot be used is no error: clients go on as without a store, and their log says so.
        /// </exception>
        public static TokenStore Named(string name, string? caFile = null) =>
            new TokenStore(() => OpenNamed(name ?? throw new ArgumentNullException(nameof(name)), nameof(name), caFile));

        /// <summary>Frees the store. Clients that use it go on. It waits for nothing.</summary>
        public void Dispose() => _handle?.Dispose();

        /// <summary>As <see cref="Named"/>; messages call the name as the parameter says.</summary>
        internal static StoreHandle OpenNamed(string name, string parameter, string? caFile)
        {
            byte[] text = Utf8.Encode(name, parameter);
            byte[]? path = Path(caFile, nameof(caFile));
            ApiVideoStatus status = NativeMethods.apivideo_store_new_named(text, path, out StoreHandle store, out ErrorHandle error);
            // It may hold a password.
            Array.Clear(text, 0, text.Length);
            ApiVideoException.Check(status, error, parameter);
            return store;
        }

        internal void Use(ConfigHandle config)
        {
            if (_handle != null && _handle.IsClosed)
            {
                throw new ObjectDisposedException(nameof(TokenStore), "The TokenStore is disposed. Dispose it when no more clients are made with it.");
            }
            using (var none = new StoreHandle())
            {
                ApiVideoException.Check(NativeMethods.apivideo_config_set_store(config, _handle ?? none, out ErrorHandle error), error);
            }
        }

        private protected static byte[]? Path(string? path, string parameter) => path is null ? null : Utf8.Encode(path, parameter);
    }

    /// <summary>
    /// Shares a token between the processes that one user has on one machine, by files.
    /// </summary>
    public sealed class FileTokenStore : TokenStore
    {
        /// <summary>
        /// Takes a directory that is this user's alone (mode 0700), or that is made so.
        /// </summary>
        /// <param name="directory">
        /// Null means the usual one: <c>.cache/libapivideo</c> in the home directory that the
        /// system has for the user, whatever HOME says; on Windows below <c>%LOCALAPPDATA%</c>.
        /// </param>
        /// <exception cref="ArgumentException">
        /// The directory cannot be used, is another user's, can be used by others, is a symbolic
        /// link, or is on a network.
        /// </exception>
        public FileTokenStore(string? directory = null) : base(() => Open(directory))
        {
        }

        private static StoreHandle Open(string? directory)
        {
            ApiVideoStatus status = NativeMethods.apivideo_store_new_file(Path(directory, nameof(directory)), out StoreHandle store, out ErrorHandle error);
            ApiVideoException.Check(status, error, nameof(directory));
            return store;
        }
    }

    /// <summary>
    /// Shares a token between the processes of many machines, by Redis or Valkey.
    /// </summary>
    public sealed class RedisTokenStore : TokenStore
    {
        /// <summary>Makes a store. It sends nothing yet.</summary>
        /// <param name="url">
        /// <c>redis://[user:password@]host[:port][/database]</c>, or <c>rediss://</c> for TLS, user
        /// and password percent-encoded. A cluster is named by any of its nodes. Behind Sentinel:
        /// <c>redis+sentinel://[user:password@]host[:port],…/name[/database]</c>.
        /// </param>
        /// <param name="caFile">
        /// A PEM file of certificates that are trusted besides the system's; null for none.
        /// </param>
        /// <exception cref="ArgumentException">
        /// It is no such URL, or there is no such file. The message does not repeat the URL.
        /// </exception>
        public RedisTokenStore(string url, string? caFile = null) : base(() => Open(url, caFile))
        {
        }

        private static StoreHandle Open(string url, string? caFile)
        {
            byte[] text = Utf8.Encode(url ?? throw new ArgumentNullException(nameof(url)), nameof(url));
            byte[]? path = Path(caFile, nameof(caFile));
            ApiVideoStatus status = NativeMethods.apivideo_store_new_redis(text, path, out StoreHandle store, out ErrorHandle error);
            // It may hold a password.
            Array.Clear(text, 0, text.Length);
            ApiVideoException.Check(status, error, nameof(url));
            return store;
        }
    }
}
