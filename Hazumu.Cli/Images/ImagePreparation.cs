namespace Hazumu.Cli.Images;

/// <summary>Gets the images of a graph, or decides which components are left out.</summary>
/// <param name="checkout">The checkout.</param>
/// <param name="store">The engine's images.</param>
/// <param name="progress">Receives sentences about what goes on.</param>
internal sealed class ImagePreparation(Checkout checkout, ImageStore store, Action<string> progress)
{
    /// <summary>Gets images from registries, else from Debian's packages.</summary>
    /// <param name="components">The components.</param>
    /// <param name="standIn">The engine that takes Ollama's place if neither Ollama's image nor vLLM's can be had and this one's can be built; <see langword="null"/> for none.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The settings that make a graph of what can be had: <c>Hazumu__X__Image</c> and
    /// <c>Hazumu__X__Enabled=false</c>.</returns>
    /// <exception cref="CliException">A registry refuses an image.</exception>
    public async Task<IReadOnlyDictionary<string, string>> RunAsync(IEnumerable<GraphComponent> components, GraphComponent? standIn, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>();
        var pulls = await Task.WhenAll(components.Where(component => !component.IsBuilt).Select(async component => (Component: component, Result: await store.EnsureAsync(component.Image, cancellationToken))));

        var refused = pulls.Where(pull => pull.Result.Outcome == PullOutcome.Refused).ToList();
        if (refused.Count > 0)
        {
            throw new CliException(string.Join(Environment.NewLine, refused.Select(pull => $"The image {pull.Component.Image} (Hazumu:{pull.Component.Section}:Image) cannot be pulled: {pull.Result.Reason}")));
        }

        var missing = pulls.Where(pull => pull.Result.Outcome == PullOutcome.Unreachable).ToList();
        if (!missing.Exists(pull => pull.Component.Section == "Ollama") || pulls.Except(missing).Any(pull => pull.Component.Section == "Vllm"))
        {
            standIn = null;
        }

        await BuildFromDebianAsync([.. missing.Select(pull => pull.Component), .. standIn is null ? [] : new[] { standIn }], cancellationToken);
        foreach (var (component, result) in missing)
        {
            if (await FindReplacementAsync(component, cancellationToken) is { } image)
            {
                settings[$"{AppHostProgram.VariablePrefix}{component.Section}__Image"] = image;
                progress($"{component.Name} runs from {image}, built from Debian's packages{(image == component.Image ? "." : $", instead of {component.Image}: another version than the pinned one.")}");
            }
            else
            {
                settings[$"{AppHostProgram.VariablePrefix}{component.Section}__Enabled"] = "false";
                progress($"{component.Name} is left out: the image {component.Image} is not on this machine and its registry cannot be reached ({result.Reason}).");
            }
        }

        if (standIn is not null && await FindReplacementAsync(standIn, cancellationToken) is { } engine)
        {
            settings[$"{AppHostProgram.VariablePrefix}{standIn.Section}__Image"] = engine;
            settings[$"{AppHostProgram.VariablePrefix}{standIn.Section}__Enabled"] = "true";
            progress($"llama-server is the engine instead of Ollama: it runs from {engine}, built from Debian's packages.");
        }

        // Compose and the tests read a setting as it stands; the AppHost completes what the setting does not name.
        foreach (var component in components.Where(component => component.ImageSetting is not null))
        {
            settings.TryAdd($"{AppHostProgram.VariablePrefix}{component.Section}__Image", component.Image);
        }

        return settings;
    }

    // An image that the user named is never replaced by another.
    private async Task<string?> FindReplacementAsync(GraphComponent component, CancellationToken cancellationToken) =>
        component.ImageSetting is null ? await store.FindDebianImageAsync(component.Name, cancellationToken) : null;

    private async Task BuildFromDebianAsync(IReadOnlyList<GraphComponent> missing, CancellationToken cancellationToken)
    {
        var wanted = new List<string>();
        foreach (var component in missing.Where(component => component.ImageSetting is null))
        {
            if (await store.FindDebianImageAsync(component.Name, cancellationToken) is null)
            {
                wanted.Add(component.Name);
            }
        }

        if (wanted.Count == 0 || !OperatingSystem.IsLinux())
        {
            return;
        }

        var buildable = (await checkout.RunAsync(checkout.DebianImages, ["--list"], cancellationToken)).StandardOutput.Split('\n').Intersect(wanted).ToList();
        if (buildable.Count == 0)
        {
            return;
        }

        progress($"No container registry can be reached: building from Debian's packages {string.Join(' ', buildable)} (about 25 s; log: .hazumu/images.log).");
        var build = await checkout.RunAsync(checkout.DebianImages, buildable, cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(checkout.State, "images.log"), build.StandardOutput + build.StandardError, cancellationToken);
        if (build.ExitCode != 0)
        {
            progress($"That failed: {build.StandardError.TrimEnd().Split('\n')[^1]}");
        }
    }
}
