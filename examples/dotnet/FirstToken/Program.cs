// The first token: what it holds, and what can go wrong.
//
//     APIVIDEO_API_KEY=… dotnet run --project examples/dotnet/FirstToken
//
// APIVIDEO_BASE_URL is for another server than api.video's, such as a local one.
using System;
using LibApiVideo;

internal static class Program
{
    private static int Main()
    {
        string apiKey = Environment.GetEnvironmentVariable("APIVIDEO_API_KEY") ?? "";
        var options = new ApiVideoClientOptions
        {
            BaseUrl = Environment.GetEnvironmentVariable("APIVIDEO_BASE_URL"),
            AppName = "first-token",
            AppVersion = "1.0.0",
        };
        try
        {
            using var client = new ApiVideoClient(apiKey, options);
            Token token = client.GetToken();
            Console.WriteLine($"{token}; good for another {token.ExpiresIn.TotalMinutes:F0} minutes");
            // Any further call gives the same token, without a request, until it is time for
            // another.
            Console.WriteLine($"The same again: {ReferenceEquals(token, client.GetToken())}");
            return 0;
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine($"The setting {e.ParamName} is wrong. {e.Message}");
        }
        catch (ApiVideoKeyRejectedException e)
        {
            Console.Error.WriteLine($"Check the key. {e.Message}");
        }
        catch (ApiVideoException e)
        {
            Console.Error.WriteLine($"{e.Message} Worth trying again: {e.IsRetryable}, after {e.RetryAfter?.TotalSeconds ?? 0:F1} s.");
        }
        return 1;
    }
}
