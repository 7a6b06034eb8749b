#pragma warning disable ASPIREPIPELINES001, ASPIREPIPELINES004 // The pipeline is where publishing happens.

using Aspire.Hosting.Pipelines;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Provides the extension method that publishes the graph into the Helm chart.</summary>
internal static class ChartBuilderExtensions
{
    /// <summary>
    /// Adds the step <c>publish-chart</c>, whose output path is the chart's folder. The step <c>publish</c> does not
    /// include it: one output path has the Compose application, or the chart.
    /// </summary>
    public static void AddChartPublishing(this IDistributedApplicationBuilder builder) =>
        builder.Pipeline.AddStep("publish-chart", async step =>
        {
            var folder = step.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
            var components = await PublishedComponent.ResolveAsync(step.Model, step.ExecutionContext, step.CancellationToken);
            await new Chart(components, folder).WriteAsync(step.CancellationToken);
        });
}
