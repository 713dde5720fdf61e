// Requests to api.video whose token is always valid.
//
//     APIVIDEO_API_KEY=… dotnet run --project examples/dotnet/HttpClient
using System;
using System.Net.Http;
using System.Threading.Tasks;
using LibApiVideo;

internal static class Program
{
    private static async Task Main()
    {
        // One of each for the whole program.
        using var tokens = new ApiVideoClient();
        using var http = new HttpClient(new ApiVideoAuthenticationHandler(tokens, new HttpClientHandler()))
        {
            BaseAddress = tokens.BaseUrl,
        };

        string videos = await http.GetStringAsync("/videos");
        Console.WriteLine($"{videos.Length} characters of videos");

        // What would happen after an hour happens now: this token is not to be used any more. The
        // next request has another.
        tokens.Invalidate(tokens.GetToken());
        videos = await http.GetStringAsync("/videos");
        Console.WriteLine($"{videos.Length} characters of videos, with the {tokens.GetStatistics().TokensGranted}nd token");
    }
}
