using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text.Json;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>One reading of a body for <see cref="RequestHead"/>.</summary>
internal ref struct RequestHeadReader
{
    // Of each part of a conversation that is hashed; what is the same this far belongs together.
    private const int HashedBytes = 1024;

    // Room for a name with every letter as an escape (\u006d).
    private const int LongestName = 17;
    private const int LongestRawName = LongestName * 6;

    private readonly ReadOnlySpan<byte> _json;
    private readonly Dialect _dialect;
    private readonly ModelPlace _place;
    private readonly bool _manages;
    private readonly bool _namesEndUser;
    private Utf8JsonReader _reader;
    private string? _problem;
    private string? _model;
    private string? _olderModel;
    private Range _modelRange;
    private Range _olderModelRange;
    private List<(string Property, string? Model)>? _named;
    private string? _remoteHost;
    private bool _isInsecure;
    private bool? _stream;
    private bool _includesUsage;
    private bool _unloadsModel;
    private bool _hasPrompt;
    private bool _isWhole;
    private uint _seen;
    private ulong _session;
    private ulong _promptCacheKey;
    private ulong _user;
    private string? _endUser;
    private bool _isSafetyIdentifier;
    private ulong _system;
    private ulong _conversation;
    private UsageChange _usageChange = UsageChange.AddOptions;
    private Range _usagePlace;

    public RequestHeadReader(ReadOnlySpan<byte> json, bool isWhole, Dialect dialect, ModelPlace place, bool manages, bool namesEndUser)
    {
        _json = json;
        _dialect = dialect;
        _place = place;
        _manages = manages;
        _namesEndUser = namesEndUser;
        _reader = new(json, isWhole, new(new() { MaxDepth = RequestHead.MaxDepth }));
    }

    private enum Name
    {
        Other,
        Model,
        OlderModel,
        OtherModel,
        From,
        Source,
        Destination,
        RemoteHost,
        Insecure,
        Stream,
        StreamOptions,
        IncludeUsage,
        KeepAlive,
        SessionId,
        PromptCacheKey,
        User,
        SafetyIdentifier,
        Metadata,
        System,
        Messages,
        Prompt,
    }

    /// <summary>Whether the reading failed for the body's depth.</summary>
    public readonly bool IsTooDeep => _reader.CurrentDepth >= RequestHead.MaxDepth - 1;

    /// <summary>Reads the body.</summary>
    /// <exception cref="JsonException">It is not valid JSON.</exception>
    /// <exception cref="InvalidOperationException">A string in it that has to be read is not valid text.</exception>
    public RequestHeadResult Read()
    {
        if (_reader.Read() && _reader.TokenType != JsonTokenType.StartObject)
        {
            return RequestHead.Malformed("The request body must be a JSON object.");
        }

        while (_problem is null && _reader.Read())
        {
            if (_reader.TokenType == JsonTokenType.EndObject)
            {
                EndObject();
                break;
            }

            if (!ReadValue(NameOf(isTopLevel: true)))
            {
                break;
            }
        }

        return _problem is null ? Result() : RequestHead.Malformed(_problem);
    }

    private void EndObject()
    {
        _isWhole = true;
        if (_usageChange == UsageChange.AddOptions)
        {
            var end = (int)_reader.TokenStartIndex;
            _usagePlace = end..end;
        }

        // Go reads one value and no more: whatever follows is not looked at.
        if (_model is "" && string.IsNullOrEmpty(_olderModel))
        {
            _problem = $"{ModelProperty} is empty.";
        }
    }

    private readonly RequestHeadResult Result()
    {
        var (model, range) = string.IsNullOrEmpty(_model) ? (_olderModel, _olderModelRange) : (_model, _modelRange);
        return new()
        {
            Model = string.IsNullOrEmpty(model) ? null : model,
            ModelRange = range,
            Named = _named,
            RemoteHost = _remoteHost,
            IsInsecure = _isInsecure,
            Stream = _stream,
            IncludesUsage = _includesUsage,
            UnloadsModel = _unloadsModel,
            HasPrompt = _hasPrompt,
            Affinity = AffinityOf(model),
            EndUser = _endUser,
            IsWhole = _isWhole,
            UsageChange = _isWhole && _stream == true ? _usageChange : UsageChange.None,
            UsagePlace = _usagePlace,
        };
    }

    private readonly ulong AffinityOf(string? model)
    {
        var session =
            _session != 0 ? _session :
            _promptCacheKey != 0 ? _promptCacheKey :
            _user;
        ReadOnlySpan<ulong> parts = session != 0 ? [session] : [_system, _conversation];
        return parts.ContainsAnyExcept(0ul)
            ? Hash(MemoryMarshal.AsBytes(parts), Hash(MemoryMarshal.AsBytes(model.AsSpan()), 0))
            : 0;
    }

    // Zero is kept for "nothing".
    private static ulong Hash(ReadOnlySpan<byte> bytes, ulong seed) => Math.Max(1, XxHash3.HashToUInt64(bytes, (long)seed));

    private readonly Range TokenRange => (int)_reader.TokenStartIndex..(int)_reader.BytesConsumed;

    private readonly string ModelProperty => _place == ModelPlace.Source ? "\"source\"" : "\"model\"";

    private void CheckOnlyOnce(Name name)
    {
        if (name is not (Name.Model or Name.OlderModel or Name.Stream or Name.StreamOptions or Name.IncludeUsage))
        {
            return;
        }

        var bit = 1u << (int)name;
        if ((_seen & bit) != 0)
        {
            var property = name switch
            {
                Name.Model => ModelProperty,
                Name.OlderModel => "\"name\"",
                Name.Stream => "\"stream\"",
                Name.StreamOptions => "\"stream_options\"",
                _ => "\"include_usage\"",
            };
            _problem = $"{property} is given twice.";
        }

        _seen |= bit;
    }

    // False where the bytes end inside the value.
    private bool ReadValue(Name name)
    {
        var rest = (int)_reader.BytesConsumed;
        if (!_reader.Read())
        {
            TakeConversation(name, _json[rest..].TrimStart(" \t\r\n"u8));
            return false;
        }

        if (_reader.TokenType == JsonTokenType.Null
            && (name is Name.Model or Name.OlderModel or Name.OtherModel or Name.From or Name.Source or Name.Destination or Name.RemoteHost))
        {
            // Go leaves a text as it was: as if the member were not there.
            return true;
        }

        CheckOnlyOnce(name);
        if (_problem is not null)
        {
            return false;
        }

        switch (name)
        {
            case Name.Model:
                _model = ReadModel(ModelProperty);
                _modelRange = TokenRange;
                AddNamed(_place == ModelPlace.Source ? "source" : "model");
                break;

            case Name.OlderModel:
                _olderModel = ReadModel("\"name\"");
                _olderModelRange = TokenRange;
                AddNamed("name");
                break;

            case Name.OtherModel or Name.From or Name.Source or Name.Destination:
                AddNamed(name switch { Name.OtherModel => "model", Name.From => "from", Name.Source => "source", _ => "destination" });
                break;

            case Name.RemoteHost:
                _remoteHost = Text() is not "" and var host ? host ?? "" : null;
                break;

            case Name.Insecure:
                _isInsecure |= _reader.TokenType == JsonTokenType.True;
                break;

            case Name.Stream:
                _stream = _reader.TokenType is JsonTokenType.True or JsonTokenType.False ? _reader.TokenType == JsonTokenType.True : null;
                break;

            case Name.StreamOptions:
                return ReadStreamOptions();

            case Name.KeepAlive:
                _unloadsModel = _reader.TokenType switch
                {
                    JsonTokenType.Number => _reader.TryGetDouble(out var seconds) && seconds == 0,
                    JsonTokenType.String => IsZeroDuration(_reader.ValueSpan),
                    _ => false,
                };
                break;

            case Name.SessionId:
                _session = HashOfText(in _reader);
                break;

            case Name.PromptCacheKey:
                _promptCacheKey = HashOfText(in _reader);
                break;

            case Name.User:
                _user = HashOfText(in _reader);
                TakeEndUser(in _reader);
                break;

            case Name.SafetyIdentifier:
                TakeEndUser(in _reader, isSafetyIdentifier: true);
                break;

            case Name.Metadata when _reader.TokenType == JsonTokenType.StartObject:
                return ReadMetadata();

            case Name.Messages or Name.Prompt when _reader.TokenType == JsonTokenType.StartArray:
                return ReadMessages(name);

            case Name.System or Name.Messages or Name.Prompt:
                return ReadText(name);
        }

        return _reader.TrySkip();
    }

    private string? ReadModel(string property)
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            _problem = $"{property} must be a string.";
            return null;
        }

        // No character is more than six bytes.
        var model = _reader.ValueSpan.Length > ModelText.MaxLength * 6 ? null : _reader.GetString();
        var problem = model is null ? ModelText.TooLong : ModelText.ProblemOf(model);

        // If this member is empty, the other one may have the value.
        if (problem is not null && model is not "")
        {
            _problem = $"{property} {problem}.";
        }

        return model;
    }

    private void AddNamed(string property)
    {
        if (_manages)
        {
            (_named ??= []).Add((property, Text()));
        }
    }

    // Null where it is no text, or longer than any name may be.
    private readonly string? Text() => _reader.TokenType != JsonTokenType.String || _reader.ValueSpan.Length > ModelText.MaxLength * 6 ? null : _reader.GetString();

    private bool ReadStreamOptions()
    {
        _usagePlace = TokenRange;
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            _usageChange = _reader.TokenType == JsonTokenType.Null ? UsageChange.SetOptions : UsageChange.None;
            return _reader.TrySkip();
        }

        _usageChange = UsageChange.FillOptions;
        _usagePlace = _usagePlace.End.._usagePlace.End;
        while (_reader.Read())
        {
            if (_reader.TokenType == JsonTokenType.EndObject)
            {
                return true;
            }

            var name = NameOf(isTopLevel: false);
            CheckOnlyOnce(name);
            if (_problem is not null || !_reader.Read())
            {
                return false;
            }

            if (name == Name.IncludeUsage)
            {
                _includesUsage = _reader.TokenType == JsonTokenType.True;
                _usageChange = _reader.TokenType is JsonTokenType.False or JsonTokenType.Null ? UsageChange.SetOption : UsageChange.None;
                _usagePlace = TokenRange;
            }
            else if (_usageChange == UsageChange.FillOptions)
            {
                _usageChange = UsageChange.AddOption;
            }

            if (!_reader.TrySkip())
            {
                return false;
            }
        }

        return false;
    }

    // Anthropic's clients name their session there.
    private bool ReadMetadata()
    {
        var isRead = ReadMember("user_id"u8, out var user);
        if (user.TokenType != JsonTokenType.None)
        {
            _user = HashOfText(in user);
            TakeEndUser(in user);
        }

        return isRead;
    }

    // Reads the object at hand, with the value of one member. False where the bytes end inside the object.
    private bool ReadMember(ReadOnlySpan<byte> name, out Utf8JsonReader value)
    {
        value = default;
        while (_reader.Read())
        {
            if (_reader.TokenType == JsonTokenType.EndObject)
            {
                return true;
            }

            var isWanted = _reader.ValueTextEquals(name);
            if (!_reader.Read())
            {
                return false;
            }

            value = isWanted ? _reader : value;
            if (!_reader.TrySkip())
            {
                return false;
            }
        }

        return false;
    }

    // Of the messages, those up to the first of the user's: it is in all requests of a conversation, what follows is not.
    private bool ReadMessages(Name name)
    {
        var isAtBeginning = true;
        while (true)
        {
            var rest = (int)_reader.BytesConsumed;
            if (!_reader.Read())
            {
                TakeConversation(name, isAtBeginning ? _json[rest..].TrimStart(" \t\r\n,"u8) : default);
                return false;
            }

            if (_reader.TokenType == JsonTokenType.EndArray)
            {
                return true;
            }

            var start = (int)_reader.TokenStartIndex;
            var isUsers = _reader.TokenType != JsonTokenType.StartObject;
            var isRead = isAtBeginning && !isUsers ? ReadRole(out isUsers) : _reader.TrySkip();
            if (isAtBeginning)
            {
                TakeConversation(name, isRead ? _json[start..(int)_reader.BytesConsumed] : _json[start..]);
                isAtBeginning = !isUsers;
            }

            if (!isRead)
            {
                return false;
            }
        }
    }

    private bool ReadRole(out bool isUsers)
    {
        var isRead = ReadMember("role"u8, out var role);
        isUsers = role.TokenType == JsonTokenType.String && role.ValueTextEquals("user"u8);
        return isRead;
    }

    private bool ReadText(Name name)
    {
        var start = (int)_reader.TokenStartIndex;
        if (_reader.TokenType == JsonTokenType.Null || (_reader.TokenType == JsonTokenType.String && _reader.ValueSpan.IsEmpty))
        {
            return true;
        }

        var isRead = _reader.TrySkip();
        TakeConversation(name, isRead ? _json[start..(int)_reader.BytesConsumed] : _json[start..]);
        return isRead;
    }

    private void TakeConversation(Name name, ReadOnlySpan<byte> raw)
    {
        if (raw.IsEmpty)
        {
            return;
        }

        raw = raw[..Math.Min(raw.Length, HashedBytes)];
        switch (name)
        {
            case Name.System:
                _system = Hash(raw, _system);
                break;

            case Name.Messages or Name.Prompt:
                _hasPrompt = true;
                _conversation = Hash(raw, _conversation);
                break;
        }
    }

    // OpenAI has "safety_identifier" take the place of "user".
    private void TakeEndUser(in Utf8JsonReader value, bool isSafetyIdentifier = false)
    {
        if (_namesEndUser && (isSafetyIdentifier || !_isSafetyIdentifier) && value.TokenType == JsonTokenType.String && !value.ValueSpan.IsEmpty)
        {
            (_endUser, _isSafetyIdentifier) = (value.GetString(), isSafetyIdentifier);
        }
    }

    private static ulong HashOfText(in Utf8JsonReader value) =>
        value.TokenType == JsonTokenType.String && !value.ValueSpan.IsEmpty ? Hash(value.ValueSpan, 0) : 0;

    // "0", "0s", "0h0m", as Go reads durations.
    private static bool IsZeroDuration(ReadOnlySpan<byte> text) => text.Contains((byte)'0') && !text.ContainsAnyInRange((byte)'1', (byte)'9');

    private readonly Name NameOf(bool isTopLevel)
    {
        var raw = _reader.ValueSpan;
        Span<byte> unescaped = stackalloc byte[LongestRawName];
        scoped ReadOnlySpan<byte> text = raw;
        if (_reader.ValueIsEscaped)
        {
            // No name that matters is this long, or has a surrogate; half of one cannot be unescaped, and Go takes it for U+FFFD.
            if (raw.Length > LongestRawName || raw.IndexOf("\\ud"u8) >= 0 || raw.IndexOf("\\uD"u8) >= 0)
            {
                return Name.Other;
            }

            text = unescaped[.._reader.CopyString(unescaped)];
        }

        Span<byte> folded = stackalloc byte[LongestName];
        if (!TryFold(text, folded, out var length))
        {
            return Name.Other;
        }

        ReadOnlySpan<byte> name = folded[..length];
        if (!isTopLevel)
        {
            return name.SequenceEqual("include_usage"u8) ? Name.IncludeUsage : Name.Other;
        }

        return name.Length switch
        {
            4 when name.SequenceEqual("name"u8) => _dialect == Dialect.Native && _place == ModelPlace.Body ? Name.OlderModel : Name.Other,
            4 when _manages && name.SequenceEqual("from"u8) => Name.From,
            4 when name.SequenceEqual("user"u8) => Name.User,
            5 when name.SequenceEqual("model"u8) => _place == ModelPlace.Body ? Name.Model : _manages ? Name.OtherModel : Name.Other,
            5 when name.SequenceEqual("input"u8) => Name.Prompt,
            6 when name.SequenceEqual("source"u8) => _place == ModelPlace.Source ? Name.Model : _manages ? Name.Source : Name.Other,
            6 when name.SequenceEqual("stream"u8) => Name.Stream,
            6 when name.SequenceEqual("system"u8) => Name.System,
            6 when name.SequenceEqual("prompt"u8) => Name.Prompt,
            8 when _manages && name.SequenceEqual("insecure"u8) => Name.Insecure,
            8 when name.SequenceEqual("messages"u8) => Name.Messages,
            8 when name.SequenceEqual("metadata"u8) => Name.Metadata,
            10 when name.SequenceEqual("keep_alive"u8) => Name.KeepAlive,
            10 when name.SequenceEqual("session_id"u8) => Name.SessionId,
            11 when _manages && name.SequenceEqual("destination"u8) => Name.Destination,
            11 when _manages && name.SequenceEqual("remote_host"u8) => Name.RemoteHost,
            12 when name.SequenceEqual("instructions"u8) => Name.System,
            14 when name.SequenceEqual("stream_options"u8) => Name.StreamOptions,
            16 when name.SequenceEqual("prompt_cache_key"u8) => Name.PromptCacheKey,
            17 when name.SequenceEqual("safety_identifier"u8) => Name.SafetyIdentifier,
            _ => Name.Other,
        };
    }

    // Go also takes the long s (U+017F) for an s, and the Kelvin sign (U+212A) for a k.
    private static bool TryFold(ReadOnlySpan<byte> text, Span<byte> folded, out int length)
    {
        length = 0;
        while (!text.IsEmpty && length < folded.Length)
        {
            var size = 1;
            var letter = text[0];
            if (letter is >= (byte)'A' and <= (byte)'Z')
            {
                letter |= 0x20;
            }
            else if (text.StartsWith("\u017F"u8))
            {
                letter = (byte)'s';
                size = 2;
            }
            else if (text.StartsWith("\u212A"u8))
            {
                letter = (byte)'k';
                size = 3;
            }

            folded[length++] = letter;
            text = text[size..];
        }

        return text.IsEmpty;
    }
}
