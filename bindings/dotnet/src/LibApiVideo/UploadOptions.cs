namespace LibApiVideo
{
    /// <summary>
    /// What an upload is for, and how it is sent. <see cref="VideoId"/> or <see cref="Token"/> must
    /// be given; all else may stay as it is.
    /// </summary>
    public sealed class UploadOptions
    {
        /// <summary>The video that the source is for. It was made with POST /videos.</summary>
        public string? VideoId { get; set; }

        /// <summary>
        /// An upload token to send with, in place of the client's API key. It makes the video,
        /// unless <see cref="VideoId"/> names one.
        /// </summary>
        public string? Token { get; set; }

        /// <summary>
        /// The name that api.video is told. Default: the file's own, or "video".
        /// </summary>
        public string? FileName { get; set; }

        /// <summary>
        /// How many bytes a stream will give. Default: what a stream that can seek says, and
        /// otherwise as many as come.
        /// </summary>
        public long? Size { get; set; }

        /// <summary>
        /// The size of a chunk, 5,242,880 to 209,715,200 bytes (5 to 200 MiB). Default: of a file,
        /// by its size, 5 to 50 MiB; of a stream, 16 MiB.
        /// </summary>
        public long? ChunkSize { get; set; }

        /// <summary>
        /// How many chunks are sent side by side, 1 to 8. Default: of a file, 1; of a stream, 2. Of
        /// a stream, so many chunks are held in memory.
        /// </summary>
        public int? Parallel { get; set; }

        /// <summary>
        /// Whether to go on where an earlier upload ended, in this process or in another, within 7
        /// days: to ask what has arrived, and to send the rest. That takes <see cref="VideoId"/>, a
        /// client with an API key, and the same bytes from the beginning.
        /// </summary>
        public bool Resume { get; set; }
    }

    /// <summary>How far an upload is, in bytes. No number ever goes back.</summary>
    public readonly struct UploadProgress
    {
        internal UploadProgress(ulong acknowledged, ulong sent, ulong total)
        {
            Acknowledged = (long)acknowledged;
            Sent = (long)sent;
            Total = total == 0 ? (long?)null : (long)total;
        }

        /// <summary>What api.video has said it has.</summary>
        public long Acknowledged { get; }

        /// <summary>That, and what was sent since.</summary>
        public long Sent { get; }

        /// <summary>All of it; null while that is not known.</summary>
        public long? Total { get; }
    }
}
