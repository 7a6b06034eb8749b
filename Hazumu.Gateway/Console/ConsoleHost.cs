using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Usage;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.AspNetCore.Mvc;

namespace Hazumu.Gateway.Console;

/// <summary>
/// The console: pages at <c>/console</c> that the server renders, with interactive parts. Nothing of it is loaded unless it is enabled.
/// </summary>
internal static class ConsoleHost
{
    /// <summary>The path that everything of the console is under.</summary>
    public const string Path = "/console";

    // A prompt in "Try it".
    private const int LargestMessage = 256 * 1024;

    /// <summary>Adds its services.</summary>
    public static void AddConsole(this IServiceCollection services)
    {
        services.AddRazorComponents().AddInteractiveServerComponents().AddHubOptions(hub => hub.MaximumReceiveMessageSize = LargestMessage);
        services.AddDataProtection();
        services.Configure<KeyManagementOptions>(options => (options.XmlRepository, options.XmlEncryptor) = (new MemoryRepository(), new NullXmlEncryptor()));
        services.Configure<AntiforgeryOptions>(options =>
        {
            options.Cookie.Name = "hazumu-console-form";
            options.Cookie.Path = Path;
            options.Cookie.SameSite = SameSiteMode.Strict;
            options.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
        });

        // In front of what records requests without a console.
        var recorder = services.Last(service => service.ServiceType == typeof(IRequestRecorder));
        services.Remove(recorder);
        services.AddSingleton(provider => new RunningRequests((IRequestRecorder)ActivatorUtilities.CreateInstance(provider, recorder.ImplementationType!)));
        services.AddSingleton<IRequestRecorder>(provider => provider.GetRequiredService<RunningRequests>());
        services.AddSingleton<ConsoleAssets>();
        services.AddSingleton<Gate>();
        services.AddSingleton<KeyEditor>();
        services.AddSingleton<LiveFeed>();
        services.AddSingleton<ModelCatalogue>();
        services.AddSingleton<OwnRequests>();
        services.AddSingleton<Pulls>();
        services.AddSingleton<Sessions>();
        services.AddSingleton<SignIn>();
        services.AddScoped<Visitor>();
    }

    /// <summary>Serves it on the clients' port.</summary>
    /// <param name="app">The application.</param>
    /// <param name="management">The management port, if there is one.</param>
    public static void UseConsole(this WebApplication app, int? management) => app.MapWhen(
        context => context.Request.Path.StartsWithSegments(Path, StringComparison.Ordinal) && context.Connection.LocalPort != management,
        console =>
        {
            console.UsePathBase(Path);
            console.Use(next => context => context.RequestServices.GetRequiredService<Gate>().HandleAsync(context, next));
            console.UseRouting();
            console.UseAntiforgery();
            console.UseEndpoints(Map);
            console.Use(_ => ShowNotFoundAsync);
        });

    private static void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapRazorComponents<App>().AddInteractiveServerRenderMode(options =>
        {
            // The gate sends the whole policy. Compressed together, a secret could be guessed by the length of what is sent.
            options.ContentSecurityFrameAncestorsPolicy = null;
            options.DisableWebSocketCompression = true;
        });
        endpoints.MapGet(ConsoleAssets.ScriptPath, (HttpContext context, ConsoleAssets assets) => assets.WriteAsync(context, "blazor.web.js"));
        endpoints.MapGet("/assets/{name}", (HttpContext context, ConsoleAssets assets, string name) => assets.WriteAsync(context, name));
        endpoints.MapGet("/usage.csv", WriteUsageAsync);
        endpoints.MapPost(Gate.SessionPath, (HttpContext context, SignIn signIn, [FromForm] string? key) =>
            signIn.Try(context, key ?? "") switch
            {
                SignInResult.Done => Results.LocalRedirect($"~{Gate.HomePath}"),
                var problem => Results.LocalRedirect($"~{Gate.SignInPath}?problem={problem}"),
            });
        endpoints.MapPost("/sign-out", (HttpContext context, [FromForm] string? _) =>
        {
            Sessions.End(context);
            return Results.LocalRedirect($"~{Gate.SignInPath}");
        });
        endpoints.MapPost(Gate.LanguagePath, (HttpContext context, [FromForm] string? language, [FromForm] string? page) =>
        {
            Language.Set(context, language);
            return Results.LocalRedirect($"~{(page is ['/', not ('/' or '\\'), ..] or "/" ? page : Gate.HomePath)}");
        });
    }

    private static async Task<IResult> WriteUsageAsync(HttpContext context, UsageStore store, TimeProvider time)
    {
        try
        {
            var parameters = context.Request.Query.ToDictionary(parameter => parameter.Key, parameter => parameter.Value.ToString());
            var report = await store.ReadAsync(UsageQuery.Parse(parameters, store.Calendar, time.GetUtcNow()), context.RequestAborted);
            return Results.Text(UsageFormat.ToCsv(report), "text/csv; charset=utf-8");
        }
        catch (UsageQueryException problem)
        {
            return Results.Text(problem.Message, statusCode: StatusCodes.Status400BadRequest);
        }
        catch (Exception problem) when (UsageStore.IsOutage(problem))
        {
            return Results.Text($"Usage cannot be read now: {problem.Message}", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static Task ShowNotFoundAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync($"There is no such page; the console begins at {Path}.");
    }
}
