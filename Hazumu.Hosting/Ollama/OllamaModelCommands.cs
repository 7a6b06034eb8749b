using System.Data.Common;
using Hazumu.Hosting.Containers;
using Microsoft.Extensions.Logging;
using OllamaSharp;
using OllamaSharp.Models;

namespace Aspire.Hosting;

/// <summary>
/// The dashboard's commands that pull and unload a model; the Toolkit has them only for models named in the AppHost.
/// </summary>
internal static class OllamaModelCommands
{
    private const string Model = "model";

    public static IResourceBuilder<OllamaResource> WithModelCommands(this IResourceBuilder<OllamaResource> builder) => builder
        .WithCommand("pull-model", "Pull a model", context => PullAsync(builder.Resource, context), new CommandOptions
        {
            Description = "Downloads or updates a model from the Ollama library or Hugging Face.",
            IconName = "ArrowDownload",
            UpdateState = CommandState.WhileHealthy,
            Arguments =
            [
                new InteractionInput { Name = Model, Label = "Model", InputType = InputType.Text, Required = true, Placeholder = "qwen3:0.6b" },
            ],
        })
        .WithCommand("unload-model", "Unload a model", context => UnloadAsync(builder.Resource, context), new CommandOptions
        {
            Description = "Unloads a model from memory; the next request loads it again.",
            IconName = "ArrowEject",
            UpdateState = CommandState.WhileHealthy,
            Arguments =
            [
                new InteractionInput
                {
                    Name = Model,
                    Label = "Loaded model",
                    InputType = InputType.Choice,
                    Required = true,
                    DynamicLoading = new InputLoadOptions
                    {
                        AlwaysLoadOnStart = true,
                        LoadCallback = async load => load.Input.Options = await ListLoadedAsync(builder.Resource, load.CancellationToken),
                    },
                },
            ],
        });

    private static async Task<ExecuteCommandResult> PullAsync(OllamaResource resource, ExecuteCommandContext context)
    {
        if (context.Arguments.GetString(Model)?.Trim() is not { Length: > 0 } model)
        {
            return CommandResults.Failure("Name the model to pull, such as 'qwen3:0.6b'.");
        }

        try
        {
            using var client = await CreateClientAsync(resource, context.CancellationToken);
            string? last = null;
            await foreach (var progress in client.PullModelAsync(model, context.CancellationToken))
            {
                if (progress is not null && progress.Status != last)
                {
                    last = progress.Status;
                    context.Logger.LogInformation("Pulling {Model}: {Status}", model, last);
                }
            }

            return last == "success" ? CommandResults.Success($"{model} is ready.") : CommandResults.Failure($"Pulling {model} ended with '{last}'.");
        }
        catch (Exception error) when (error is HttpRequestException or OllamaSharp.Models.Exceptions.OllamaException)
        {
            return CommandResults.Failure($"{model} could not be pulled: {error.Message}");
        }
    }

    private static async Task<ExecuteCommandResult> UnloadAsync(OllamaResource resource, ExecuteCommandContext context)
    {
        if (context.Arguments.GetString(Model)?.Trim() is not { Length: > 0 } model)
        {
            return CommandResults.Failure("Name the model to unload.");
        }

        try
        {
            using var client = await CreateClientAsync(resource, context.CancellationToken);

            // Ollama's documented way to unload: a request without a prompt that keeps the model alive for no time.
            await foreach (var _ in client.GenerateAsync(new GenerateRequest { Model = model, KeepAlive = "0" }, context.CancellationToken))
            {
            }

            return CommandResults.Success($"{model} is unloaded.");
        }
        catch (Exception error) when (error is HttpRequestException or OllamaSharp.Models.Exceptions.OllamaException)
        {
            return CommandResults.Failure($"{model} could not be unloaded: {error.Message}");
        }
    }

    private static async Task<IReadOnlyList<KeyValuePair<string, string>>> ListLoadedAsync(OllamaResource resource, CancellationToken cancellationToken)
    {
        using var client = await CreateClientAsync(resource, cancellationToken);
        var models = await client.ListRunningModelsAsync(cancellationToken);
        return [.. models.Select(model => KeyValuePair.Create(model.Name, model.Name))];
    }

    /// <summary>A client whose base address is an instance's, without a timeout.</summary>
    public static async Task<HttpClient> CreateHttpClientAsync(OllamaResource resource, CancellationToken cancellationToken) =>
        new() { BaseAddress = await GetAddressAsync(resource, cancellationToken), Timeout = Timeout.InfiniteTimeSpan };

    private static async Task<OllamaApiClient> CreateClientAsync(OllamaResource resource, CancellationToken cancellationToken) => new(await GetAddressAsync(resource, cancellationToken));

    private static async Task<Uri> GetAddressAsync(OllamaResource resource, CancellationToken cancellationToken)
    {
        var connection = new DbConnectionStringBuilder { ConnectionString = await resource.ConnectionStringExpression.GetValueAsync(cancellationToken) };
        return new Uri((string)connection["Endpoint"]);
    }
}
