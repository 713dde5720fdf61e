// A file becomes a video, with progress, and can be cancelled; and what a stream gives, while it is
// read.
//
//     APIVIDEO_API_KEY=… dotnet run --project examples/dotnet/Upload movie.mp4
//
// Without a file it sends itself, which only the local sandbox takes for a video.
using System;
using System.IO;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using LibApiVideo;

internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        string path = arguments.Length > 0 ? arguments[0] : typeof(Program).Assembly.Location;
        using var cancellation = new CancellationTokenSource();
        Console.CancelKeyPress += (_, e) =>
        {
            e.Cancel = true;
            cancellation.Cancel();
        };
        try
        {
            using var client = new ApiVideoClient();
            string id = await NewVideo(client);
            var progress = new Progress<UploadProgress>(now => Console.Error.WriteLine($"{now.Acknowledged} of {now.Total} bytes are there"));
            // With Resume = true it would send only what an earlier upload has not.
            await client.UploadAsync(path, new UploadOptions { VideoId = id }, progress, cancellation.Token);
            Console.WriteLine($"The file is the video {id}.");

            string other = await NewVideo(client);
            using Stream stream = File.OpenRead(path);
            await client.UploadAsync(stream, new UploadOptions { VideoId = other }, null, cancellation.Token);
            Console.WriteLine($"The stream is the video {other}.");
            return 0;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Cancelled. What has arrived stays: with Resume = true, the rest is sent.");
        }
        catch (ApiVideoException e)
        {
            Console.Error.WriteLine(e.Message);
        }
        return 1;
    }

    private static async Task<string> NewVideo(ApiVideoClient client)
    {
        ApiVideoResponse video = await client.RequestAsync("POST", "/videos", "{\"title\":\"My movie\"}");
        // A program has System.Text.Json for this.
        return Regex.Match(video.Text, "\"videoId\":\"([^\"]+)\"").Groups[1].Value;
    }
}
