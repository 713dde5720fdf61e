// IHttpClientFactory: a typed client whose requests carry a valid token.
//
//     APIVIDEO_API_KEY=… dotnet run --project examples/dotnet/DependencyInjection
using System;
using System.Net.Http;
using System.Threading.Tasks;
using LibApiVideo;
using Microsoft.Extensions.DependencyInjection;

internal sealed class Videos
{
    private readonly HttpClient _http;

    public Videos(HttpClient http) => _http = http;

    public Task<string> ListAsync() => _http.GetStringAsync("/videos");
}

internal static class Program
{
    private static async Task Main()
    {
        string apiKey = Environment.GetEnvironmentVariable("APIVIDEO_API_KEY") ?? throw new InvalidOperationException("APIVIDEO_API_KEY is not set.");
        string? baseUrl = Environment.GetEnvironmentVariable("APIVIDEO_BASE_URL");

        var services = new ServiceCollection();
        // One for all HttpClients of this key; the container disposes it.
        services.AddSingleton(_ => new ApiVideoClient(apiKey, new ApiVideoClientOptions { BaseUrl = baseUrl, KeepFresh = true }));
        services.AddHttpClient<Videos>(http => http.BaseAddress = new Uri(baseUrl ?? "https://ws.api.video"))
            .AddApiVideoAuthentication();

        await using ServiceProvider provider = services.BuildServiceProvider();
        string videos = await provider.GetRequiredService<Videos>().ListAsync();
        Console.WriteLine($"{videos.Length} characters of videos");
    }
}
