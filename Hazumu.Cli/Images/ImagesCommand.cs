using System.CommandLine;

namespace Hazumu.Cli.Images;

/// <summary>
/// The command <c>images</c>: gets the images of the graph, and prints the settings that a start needs.
/// </summary>
internal static class ImagesCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var noBuild = AppHostProgram.CreateNoBuildOption();
        var command = new Command("images", "Pulls the images of the graph, and prints the settings to export for a start. A component whose image is not available is left out.") { noBuild };
        SettingArguments.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            var arguments = SettingArguments.Read(result);
            var checkout = Checkout.Find();
            await checkout.PrepareEngineAsync(cancellationToken);
            var (output, error) = (result.InvocationConfiguration.Output, result.InvocationConfiguration.Error);
            var graph = await new AppHostProgram(checkout, result.GetValue(noBuild)).DescribeAsync(arguments.All, checkStart: true, cancellationToken);
            var components = graph.Components.Where(component => component.Enabled).ToList();
            var store = new ImageStore(graph.Engine, Report, TimeProvider.System);
            var settings = new Dictionary<string, string>(arguments.Variables, StringComparer.OrdinalIgnoreCase);
            foreach (var (name, value) in await new ImagePreparation(checkout, store, Report).RunAsync(components, FindStandIn(graph), cancellationToken))
            {
                settings.Remove(name);
                settings[name] = value;
            }

            var leftOut = FindLeftOut(graph, settings);
            if (leftOut.Count == components.Count)
            {
                throw new CliException("Nothing is left to start: every component is left out.");
            }

            if (!HasEngine(graph, settings))
            {
                if (leftOut.Contains(graph["Gateway"]))
                {
                    Report("gateway is left out: there is no engine to which it could send requests; set Hazumu:Gateway:Enabled=true to start it anyway.");
                }

                Report("NOTE: there is no engine. This start has only the monitoring; no model can answer.");
            }

            var environment = SettingArguments.OfEnvironment();
            RememberedSettings.Write(checkout, settings.Concat(environment.Where(variable => !settings.ContainsKey(variable.Key))).ToDictionary());
            foreach (var (name, value) in settings)
            {
                await output.WriteLineAsync($"{name}={value}");

                // .NET ignores the case of a variable; another spelling of it must not say something else.
                foreach (var other in environment.Keys.Where(other => other != name && other.Equals(name, StringComparison.OrdinalIgnoreCase)))
                {
                    await output.WriteLineAsync($"{other}={value}");
                }
            }

            return 0;

            void Report(string sentence) => error.WriteLine($"hazumu: {sentence}");
        });
        return command;
    }

    // An engine that the user has switched off stays so, and with another one nothing is missing.
    private static GraphComponent? FindStandIn(GraphDescription graph) =>
        graph["LlamaServer"] is { Enabled: false, EnabledSetting: null } standIn && !graph.HasEngineElsewhere ? standIn : null;

    /// <summary>Finds the components that a start leaves out: those without image, and the gateway if there is no engine then.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="settings">The settings of the start.</param>
    public static IReadOnlyList<GraphComponent> FindLeftOut(GraphDescription graph, IReadOnlyDictionary<string, string> settings)
    {
        var hasEngine = HasEngine(graph, settings);
        return [.. graph.Components.Where(component => component.Enabled && (Is(component, settings, "false") || (!hasEngine && component is { Section: "Gateway", EnabledSetting: null })))];
    }

    private static bool HasEngine(GraphDescription graph, IReadOnlyDictionary<string, string> settings) => graph.HasEngineElsewhere
        || new[] { graph["Ollama"], graph["LlamaServer"], graph["Vllm"] }.Any(engine => engine.Enabled ? !Is(engine, settings, "false") : Is(engine, settings, "true"));

    private static bool Is(GraphComponent component, IReadOnlyDictionary<string, string> settings, string enabled) =>
        settings.GetValueOrDefault($"{AppHostProgram.VariablePrefix}{component.Section}__Enabled") == enabled;
}
