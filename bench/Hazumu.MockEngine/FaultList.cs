namespace Hazumu.Mocks;

/// <summary>The faults that are still to strike.</summary>
internal sealed class FaultList
{
    private readonly Lock _gate = new();
    private readonly List<(MockFault Fault, int Left)> _faults = [];
    private volatile bool _isEmpty = true;

    public void Add(MockFault fault)
    {
        lock (_gate)
        {
            _faults.Add((fault, fault.Times ?? int.MaxValue));
            _isEmpty = false;
        }
    }

    public void Replace(IReadOnlyList<MockFault> faults)
    {
        lock (_gate)
        {
            _faults.Clear();
            _faults.AddRange(faults.Select(fault => (fault, fault.Times ?? int.MaxValue)));
            _isEmpty = _faults.Count == 0;
        }
    }

    /// <summary>Takes the first fault that is meant for a request.</summary>
    /// <param name="beforeBody">Whether only the head of the request is known.</param>
    /// <param name="path">Its path.</param>
    /// <param name="isInference">Whether that is one of an inference route.</param>
    /// <param name="model">Its model, canonical.</param>
    public MockFault? Take(bool beforeBody, string path, bool isInference, string? model)
    {
        if (_isEmpty)
        {
            return null;
        }

        lock (_gate)
        {
            for (var i = 0; i < _faults.Count; i++)
            {
                var (fault, left) = _faults[i];
                var isMeant = fault.BeforeBody == beforeBody &&
                    (fault.Path is null ? isInference : fault.Path == "*" || fault.Path == path) &&
                    (fault.Model is null || (model is not null && Library.Canonical(fault.Model) == model));
                if (!isMeant)
                {
                    continue;
                }

                if (left == int.MaxValue)
                {
                    return fault;
                }

                if (left <= 1)
                {
                    _faults.RemoveAt(i);
                    _isEmpty = _faults.Count == 0;
                }
                else
                {
                    _faults[i] = (fault, left - 1);
                }

                return left > 0 ? fault : null;
            }
        }

        return null;
    }
}
