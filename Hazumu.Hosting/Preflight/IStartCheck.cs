namespace Hazumu.Hosting.Preflight;

/// <summary>Prepares the application model before the resources see the host's facts.</summary>
internal interface IStartCheck
{
    /// <summary>Changes the model.</summary>
    /// <param name="model">The application model.</param>
    /// <param name="facts">The facts about the host.</param>
    /// <param name="cancellationToken">Cancels the work.</param>
    Task PrepareAsync(DistributedApplicationModel model, HostFacts facts, CancellationToken cancellationToken);
}
