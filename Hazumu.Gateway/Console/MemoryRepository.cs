using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Hazumu.Gateway.Console;

/// <summary>Keeps the keys that sessions and forms are encrypted with in memory: no file has them, and a restart ends all sessions.</summary>
internal sealed class MemoryRepository : IXmlRepository
{
    private readonly List<XElement> _all = [];

    /// <inheritdoc/>
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_all)
        {
            return [.. _all];
        }
    }

    /// <inheritdoc/>
    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_all)
        {
            _all.Add(element);
        }
    }
}
