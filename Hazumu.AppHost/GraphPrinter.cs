using Hazumu.Cli;
using Hazumu.Cli.Doctor;
using Hazumu.Hosting;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Hazumu.Hosting.Settings;
using Hazumu.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.AppHost;

/// <summary>Writes the graph for the commands of <c>Hazumu.Cli</c>: the option <c>--print-graph=FILE</c>.</summary>
internal static class GraphPrinter
{
    /// <summary>Writes the graph if the command line has that option.</summary>
    /// <param name="app">The application, which is not started.</param>
    /// <param name="options">Its settings.</param>
    /// <returns>Whether the graph was written.</returns>
    /// <exception cref="StartupProblemException">With <c>--check-start=true</c>: a start would fail.</exception>
    public static async Task<bool> PrintIfRequestedAsync(DistributedApplication app, HazumuOptions options)
    {
        var configuration = app.Services.GetRequiredService<IConfiguration>();
        if (configuration[CommandLine.PrintGraph] is not { Length: > 0 } file)
        {
            return false;
        }

        var model = app.Services.GetRequiredService<DistributedApplicationModel>();
        var engine = app.Services.GetRequiredService<ContainerEngine>();
        var checks = new StartChecks(engine, app.Services.GetServices<IStartCheck>(), configuration, NullLoggerFactory.Instance, options);
        HostFacts? facts = null;
        string? problem = null;
        if (configuration.GetValue<bool>(CommandLine.CheckStart))
        {
            (facts, var unmet) = await checks.SettleAsync(model, CancellationToken.None);
            await checks.CheckAsync(model, [.. HostPort.All(model, configuration), .. HostPort.Dashboard(configuration)], unmet, CancellationToken.None);
        }
        else
        {
            try
            {
                facts = (await checks.SettleAsync(model, CancellationToken.None)).Facts;
            }
            catch (StartupProblemException noEngine)
            {
                problem = noEngine.Message;
            }
        }

        new GraphDescription
        {
            Engine = engine.Program,
            EngineProblem = problem,
            VolumesFolder = problem is null ? DoctorOptions.FindVolumesFolder(await engine.GetInfoAsync(CancellationToken.None)) : DoctorOptions.DefaultVolumesFolder,
            Components = [.. options.Components.Where(component => component.Resource is not null).Select(component => Describe(component, model, configuration))],
            HasEngineElsewhere = options.Engines.Count > 0,
            HostSettings = facts is not null && options.CAdvisor.Privileged == AutoSwitch.Auto
                ? new Dictionary<string, string> { ["Hazumu__CAdvisor__Privileged"] = facts.AllowsPrivileged ? "true" : "false" }
                : [],
        }.Write(file);
        return true;
    }

    private static GraphComponent Describe(ComponentOptions component, DistributedApplicationModel model, IConfiguration configuration)
    {
        var resource = component.Resource!;
        var section = configuration.GetSection($"{HazumuOptions.SectionName}:{component.Section}");
        var build = resource.Annotations.OfType<PublishedBuildAnnotation>().SingleOrDefault();
        var address = component.Host.BindAddress is "127.0.0.1" or "0.0.0.0" ? "localhost" : component.Host.BindAddress;
        return new(
            component.Section,
            model.Resources.Contains(resource),
            section.GetValue<bool?>(nameof(component.Enabled)),
            build is not null ? component.Image ?? build.Image : resource.TryGetContainerImageName(out var image) ? image : throw new InvalidOperationException($"'{resource.Name}' has no image."),
            component.Image,
            build is not null,
            new Uri($"http://{address}:{component.Port}"));
    }
}
