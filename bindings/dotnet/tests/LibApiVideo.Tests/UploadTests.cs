using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo.Tests
{
    public class UploadTests
    {
        private const int Chunk = 5 * 1024 * 1024;

        private static readonly byte[] s_content = Content();

        private static byte[] Content()
        {
            var content = new byte[(2 * Chunk) + 1000];
            new Random(7).NextBytes(content);
            return content;
        }

        /// <summary>The checksum of the content, which the sandbox has of each video.</summary>
        private static readonly uint s_crc32 = ~s_content.Aggregate(~0u, (crc, one) =>
        {
            crc ^= one;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
            }
            return crc;
        });

        /// <summary>A file with the content, while something is done with it.</summary>
        private static async Task WithFile(Func<string, Task> use)
        {
            string path = Path.Combine(Path.GetTempPath(), $"apivideo-{Guid.NewGuid():N}.mp4");
            File.WriteAllBytes(path, s_content);
            try
            {
                await use(path);
            }
            finally
            {
                File.Delete(path);
            }
        }

        private static string Member(string json, string name) => Regex.Match(json, $"\"{name}\":\"([^\"]*)\"").Groups[1].Value;

        private static string NewVideo(ApiVideoClient client) =>
            Member(client.Request("POST", "/videos", "{\"title\":\"A video\"}").Text, "videoId");

        /// <summary>The sandbox has the whole content as the source of this video.</summary>
        private static void AssertIsThere(string videoId)
        {
            string videos = Sandbox.Control(HttpMethod.Get, "videos");
            Match video = Regex.Match(videos, $"\"complete\":true,\"crc32\":(\\d+),\"length\":(\\d+),[^}}]*\"video_id\":\"{videoId}\"");
            Assert.Equal($"{s_crc32} {s_content.Length}", $"{video.Groups[1].Value} {video.Groups[2].Value}", "what has arrived");
        }

        private static UploadOptions To(ApiVideoClient client) => new UploadOptions { VideoId = NewVideo(client), ChunkSize = Chunk };

        /// <summary>A stream that does not say its length, and gives a little at a time.</summary>
        private sealed class Camera : Stream
        {
            private readonly MemoryStream _content = new MemoryStream(s_content);

            public Exception? Failure { get; set; }

            /// <summary>After the content it gives nothing, and no end either.</summary>
            public bool GoesOn { get; set; }

            public override bool CanRead => true;

            public override bool CanSeek => false;

            public override bool CanWrite => false;

            public override long Length => throw new NotSupportedException();

            public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

            public override int Read(byte[] buffer, int offset, int count) =>
                Failure is null ? _content.Read(buffer, offset, Math.Min(count, 100_003)) : throw Failure;

            public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
                GoesOn && _content.Position == _content.Length
                    ? new TaskCompletionSource<int>().Task
                    : base.ReadAsync(buffer, offset, count, cancellationToken);

            public override void Flush()
            {
            }

            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

            public override void SetLength(long value) => throw new NotSupportedException();

            public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        }

        /// <summary>Notes what it is told, on the thread that tells it.</summary>
        private sealed class Told : IProgress<UploadProgress>
        {
            private readonly List<UploadProgress> _all = new List<UploadProgress>();

            public void Report(UploadProgress value)
            {
                lock (_all)
                {
                    _all.Add(value);
                }
            }

            public List<UploadProgress> All()
            {
                lock (_all)
                {
                    return _all.ToList();
                }
            }
        }

        [Test]
        public Task AFileAndAStreamBecomeVideos() => WithFile(async path =>
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                foreach (Func<UploadOptions, Task<ApiVideoResponse>> upload in new Func<UploadOptions, Task<ApiVideoResponse>>[]
                {
                    options => client.UploadAsync(path, options),
                    options => client.UploadAsync(new MemoryStream(s_content), options),
                    options => client.UploadAsync(new Camera(), options),
                })
                {
                    UploadOptions options = To(client);
                    ApiVideoResponse response = await upload(options);
                    Assert.Equal(201, response.HttpStatus);
                    Assert.Equal(options.VideoId, Member(response.Text, "videoId"));
                    AssertIsThere(options.VideoId!);
                }
            }
        });

        [Test]
        public Task ProgressGoesOnAndEndsWithAll() => WithFile(async path =>
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Sandbox.Fault("{\"on\":\"uploads\",\"skip\":1,\"fault\":{\"kind\":\"reset\"}}");
                var told = new Told();
                await client.UploadAsync(path, To(client), told);
                List<UploadProgress> all = told.All();
                Assert.True(all.Zip(all.Skip(1), (a, b) => a.Acknowledged <= b.Acknowledged && a.Sent <= b.Sent).All(ok => ok), "nothing goes back");
                Assert.Equal(s_content.Length, (int)all.Last().Acknowledged);
                Assert.Equal(s_content.Length, (int)all.Last().Total!.Value);
                told = new Told();
                await client.UploadAsync(new Camera(), To(client), told);
                Assert.Equal(null, told.All().First().Total);
            }
        });

        [Test]
        public Task AProgramWithoutAKeyUploadsByToken() => WithFile(async path =>
        {
            using (ApiVideoClient owner = Sandbox.Client())
            using (ApiVideoClient client = ApiVideoClient.WithoutKey(new ApiVideoClientOptions { BaseUrl = Sandbox.Url }))
            {
                string token = Member(owner.Request("POST", "/upload-tokens", "{}").Text, "token");
                ApiVideoResponse response = await client.UploadAsync(path, new UploadOptions { Token = token, FileName = "Holiday.mp4", ChunkSize = Chunk });
                Assert.Contains("\"title\":\"Holiday.mp4\"", response.Text);
                Assert.Throws<ApiVideoKeyRejectedException>(() => client.GetToken());
                var error = Assert.Throws<ApiVideoRequestRejectedException>(
                    client.UploadAsync(path, new UploadOptions { Token = "toSecretSecret" }));
                Assert.Equal(401, error.HttpStatus!.Value);
                Assert.Lacks("Secret", error.ToString(), "the exception");
            }
        });

        [Test]
        public Task CancellingEndsAnUploadThatCanBeResumed() => WithFile(async path =>
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                UploadOptions options = To(client);
                foreach (bool fromFile in new[] { true, false })
                {
                    Sandbox.Fault("{\"on\":\"uploads\",\"skip\":1,\"fault\":{\"kind\":\"hang\",\"handled\":false}}");
                    using (var cancellation = new CancellationTokenSource())
                    {
                        var told = new Told();
                        Task<ApiVideoResponse> upload = fromFile
                            ? client.UploadAsync(path, options, told, cancellation.Token)
                            : client.UploadAsync(new Camera(), options, told, cancellation.Token);
                        Assert.Eventually(() => told.All().Any(p => p.Acknowledged > 0), "a chunk has arrived");
                        cancellation.Cancel();
                        Assert.Throws<TaskCanceledException>(upload);
                    }
                    Sandbox.ClearFaults();
                    options.Resume = true;
                    ApiVideoResponse response = fromFile
                        ? await client.UploadAsync(path, options)
                        : await client.UploadAsync(new Camera(), options);
                    Assert.Equal(options.VideoId, Member(response.Text, "videoId"));
                    AssertIsThere(options.VideoId!);
                    options = To(client);
                }
            }
        });

        [Test]
        public void AStreamThatFailsEndsItsUpload()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                var camera = new Camera { Failure = new IOException("the camera is gone") };
                IOException error = Assert.Throws<IOException>(client.UploadAsync(camera, To(client)));
                Assert.Equal("the camera is gone", error.Message);
                Assert.Throws<ArgumentException>(client.UploadAsync(new Camera(), new UploadOptions { VideoId = NewVideo(client), Size = 7 }));
            }
        }

        [Test]
        public void AnUploadEndsThoughItsStreamGivesNothing()
        {
            using (var cancellation = new CancellationTokenSource())
            {
                ApiVideoClient client = Sandbox.Client();
                Task cancelled = client.UploadAsync(new Camera { GoesOn = true }, To(client), null, cancellation.Token);
                cancellation.Cancel();
                Assert.Throws<TaskCanceledException>(cancelled);

                Sandbox.Fault("{\"on\":\"uploads\",\"fault\":{\"kind\":\"reply\",\"status\":404,\"body\":\"{}\"}}");
                var refused = Assert.Throws<ApiVideoRequestRejectedException>(client.UploadAsync(new Camera { GoesOn = true }, To(client)));
                Assert.Equal(404, refused.HttpStatus);

                var told = new Told();
                Task disposed = client.UploadAsync(new Camera { GoesOn = true }, To(client), told);
                Assert.Eventually(() => told.All().Any(p => p.Acknowledged >= Chunk), "a chunk has arrived");
                client.Dispose();
                Assert.Throws<ObjectDisposedException>(disposed);
            }
        }

        [Test]
        public void OptionsAndFilesAreChecked()
        {
            using (ApiVideoClient client = Sandbox.Client())
            {
                Assert.Throws<ArgumentNullException>(() => { _ = client.UploadAsync((string)null!, new UploadOptions()); });
                Assert.Throws<ArgumentNullException>(() => { _ = client.UploadAsync("x", null!); });
                Assert.Equal("VideoId", Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync("x", new UploadOptions { VideoId = "../x" }); }).ParamName);
                Assert.Equal("ChunkSize", Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync("x", new UploadOptions { ChunkSize = -1 }); }).ParamName);
                Assert.Equal("Parallel", Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync("x", new UploadOptions { Parallel = 9 }); }).ParamName);
                var name = Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync("x", new UploadOptions { FileName = "" }); });
                Assert.Equal("FileName", name.ParamName);
                Assert.Contains("`FileName`", name.Message);
                var size = Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync("x", new UploadOptions { VideoId = "vi1", Size = 7 }); });
                Assert.Contains("`Size` is for an upload without `path`", size.Message);
                Assert.Contains("VideoId", Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync("x", new UploadOptions()); }).Message);
                Assert.Throws<ApiVideoFileException>(() => { _ = client.UploadAsync("nothing-here.mp4", new UploadOptions { VideoId = "vi1" }); });
                Assert.Throws<ArgumentException>(() => { _ = client.UploadAsync(new MemoryStream(), new UploadOptions { VideoId = "vi1" }); });
            }
        }
    }
}
