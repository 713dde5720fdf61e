using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Native
{
    /// <summary>
    /// Passes an upload's options to the native library, starts it, and hands a stream over.
    /// </summary>
    internal static class Upload
    {
        private delegate ApiVideoStatus Setter<T>(UploadHandle upload, T value, out ErrorHandle error);

        // Native code keeps pointers to them: they live as long as the program.
        private static readonly NativeMethods.apivideo_progress_callback s_progress = OnProgress;
        private static readonly NativeMethods.apivideo_release_callback s_release = OnRelease;

        /// <summary>How many bytes are read at once.</summary>
        private const int Block = 1024 * 1024;

        /// <param name="client">Whose upload it is.</param>
        /// <param name="path">The file; null for what is written.</param>
        /// <param name="options">What it is for. The native library checks it.</param>
        /// <param name="size">How much is written, if that is known.</param>
        /// <param name="progress">Who is told.</param>
        internal static UploadHandle Start(ClientHandle client, string? path, UploadOptions options, long? size, IProgress<UploadProgress>? progress)
        {
            ApiVideoException.Check(NativeMethods.apivideo_upload_new(client, out UploadHandle upload, out ErrorHandle error), error);
            try
            {
                Set(upload, nameof(options.VideoId), options.VideoId, NativeMethods.apivideo_upload_set_video_id);
                Set(upload, nameof(options.Token), options.Token, NativeMethods.apivideo_upload_set_token);
                Set(upload, nameof(path), path, NativeMethods.apivideo_upload_set_file);
                Set(upload, nameof(options.FileName), options.FileName, NativeMethods.apivideo_upload_set_file_name);
                Set(upload, nameof(options.Size), size, NativeMethods.apivideo_upload_set_size);
                Set(upload, nameof(options.ChunkSize), options.ChunkSize, NativeMethods.apivideo_upload_set_chunk_size);
                if (options.Parallel is int parallel)
                {
                    Check(nameof(options.Parallel), NativeMethods.apivideo_upload_set_parallel(upload, (uint)Math.Max(0, parallel), out error), error);
                }
                Check(nameof(options.Resume), NativeMethods.apivideo_upload_set_resume(upload, options.Resume ? 1 : 0, out error), error);
                if (progress != null)
                {
                    IntPtr target = GCHandle.ToIntPtr(GCHandle.Alloc(progress));
                    ApiVideoException.Check(
                        NativeMethods.apivideo_upload_set_on_progress(upload, s_progress, target, s_release, out error), error);
                }
                ApiVideoException.Check(NativeMethods.apivideo_upload_start(upload, out error), error, nameof(options));
                return upload;
            }
            catch
            {
                upload.Dispose();
                throw;
            }
        }

        /// <summary>
        /// Hands over what the stream gives, and then waits for the answer. If the stream fails,
        /// the upload ends, and the caller has the stream's exception.
        /// </summary>
        internal static async Task<ApiVideoResponse> Feed(UploadHandle upload, Stream source, Task<ApiVideoResponse> answer, CancellationToken cancellation)
        {
            try
            {
                var block = new byte[Block];
                int count;
                while ((count = await Read(source, block, answer, cancellation).ConfigureAwait(false)) > 0)
                {
                    // It waits until there is room: on a thread of the pool, not on the caller's.
                    int length = count;
                    await Task.Run(() => Write(upload, block, length)).ConfigureAwait(false);
                }
                ApiVideoException.Check(NativeMethods.apivideo_upload_finish(upload, out ErrorHandle error), error);
            }
            catch (Exception) when (!answer.IsCompleted && !cancellation.IsCancellationRequested)
            {
                Cancel(upload);
                Forget(answer);
                throw;
            }
            catch (Exception)
            {
                // The upload has ended, or does so now, and that is why.
            }
            return await answer.ConfigureAwait(false);
        }

        /// <summary>
        /// Reads, until there is something or the upload has ended: a camera may have nothing to
        /// give for long. After that end nobody needs the bytes, and this gives none.
        /// </summary>
        private static async Task<int> Read(Stream source, byte[] block, Task answer, CancellationToken cancellation)
        {
            using (var reading = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                Task<int> read = source.ReadAsync(block, 0, block.Length, reading.Token);
                if (read.IsCompleted || await Task.WhenAny(read, answer).ConfigureAwait(false) == read)
                {
                    return await read.ConfigureAwait(false);
                }
                reading.Cancel();
                Forget(read);
                return 0;
            }
        }

        /// <summary>Whatever becomes of it, nobody asks.</summary>
        private static void Forget(Task task) => _ = task.ContinueWith(ended => ended.Exception, TaskScheduler.Default);

        /// <summary>How much a stream still gives, if it says so.</summary>
        internal static long? SizeOf(Stream source)
        {
            if (!source.CanSeek)
            {
                return null;
            }
            long left = source.Length - source.Position;
            return left > 0 ? left : throw new ArgumentException("There is nothing left to read: api.video takes no empty video.", nameof(source));
        }

        private static void Write(UploadHandle upload, byte[] block, int length) =>
            ApiVideoException.Check(NativeMethods.apivideo_upload_write(upload, block, (UIntPtr)(uint)length, out ErrorHandle error), error);

        private static void Cancel(UploadHandle upload)
        {
            try
            {
                NativeMethods.apivideo_upload_cancel(upload);
            }
            catch (ObjectDisposedException)
            {
                // It has ended already.
            }
        }

        private static void Set(UploadHandle upload, string option, string? value, Setter<byte[]> setter)
        {
            if (value != null)
            {
                byte[] text = Utf8.Encode(value, option);
                ApiVideoStatus status = setter(upload, text, out ErrorHandle error);
                // It may be an upload token.
                Array.Clear(text, 0, text.Length);
                Check(option, status, error);
            }
        }

        private static void Set(UploadHandle upload, string option, long? value, Setter<ulong> setter)
        {
            if (value is long number)
            {
                // What is negative is out of the range in any case.
                Check(option, setter(upload, (ulong)Math.Max(0, number), out ErrorHandle error), error);
            }
        }

        private static void Check(string option, ApiVideoStatus status, ErrorHandle error) => ApiVideoException.Check(status, error, option);

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_progress_callback))]
        private static void OnProgress(ulong acknowledged, ulong sent, ulong total, IntPtr userData)
        {
            try
            {
                (GCHandle.FromIntPtr(userData).Target as IProgress<UploadProgress>)?.Report(new UploadProgress(acknowledged, sent, total));
            }
            catch (Exception)
            {
                // Native code cannot take an exception, and nobody else is there to have it.
            }
        }

        [MonoPInvokeCallback(typeof(NativeMethods.apivideo_release_callback))]
        private static void OnRelease(IntPtr userData)
        {
            Unloading.KeepLoadedForAMoment();
            GCHandle.FromIntPtr(userData).Free();
        }
    }
}
