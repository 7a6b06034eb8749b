using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Settings;

/// <summary>One setting, for messages and for the tests of the tables in the documentation.</summary>
/// <param name="Key">The whole key, <c>Hazumu:Prometheus:Port</c>.</param>
/// <param name="Default">The default as text; empty where there is none.</param>
/// <param name="Allowed">The allowed values.</param>
/// <param name="Description">The effect of the setting.</param>
public sealed record Setting(string Key, string Default, string Allowed, string Description);

/// <summary>
/// Binds configuration to options strictly. The framework's binder drops values it does not know, and its own strict
/// mode names neither the whole key nor what is allowed.
/// </summary>
public static class SettingsReader
{
    private static readonly string[] s_secretWords = ["key", "secret", "password", "token"];

    /// <summary>Sets the properties of <paramref name="target"/> from the section.</summary>
    /// <exception cref="StartupProblemException">A key is unknown or a value is not allowed; all such keys are
    /// named.</exception>
    public static void Read(IConfigurationSection section, object target)
    {
        var problems = new List<string>();
        Read(section, target, problems);
        StartupProblemException.ThrowIfAny(problems, exitCode: 2);
    }

    /// <summary>Lists every setting below an options object that holds the defaults.</summary>
    public static IEnumerable<Setting> List(string path, object defaults)
    {
        foreach (var property in Properties(defaults.GetType()))
        {
            var key = $"{path}:{property.Name}";
            var value = property.GetValue(defaults);
            if (SectionType(property) is { } section)
            {
                foreach (var nested in List($"{key}:NAME", Activator.CreateInstance(section)!))
                {
                    yield return nested;
                }
            }
            else if (property.GetCustomAttribute<SettingAttribute>() is { } setting)
            {
                var component = path.Split(':')[^1];
                yield return new(key, Format(value), Allowed(property), string.Format(CultureInfo.InvariantCulture, setting.Description, component));
            }
            else
            {
                foreach (var nested in List(key, value!))
                {
                    yield return nested;
                }
            }
        }
    }

    /// <summary>How a value of an enumeration is written in settings: in lower case, with hyphens between words.</summary>
    /// <param name="value">The value.</param>
    public static string NameOf(Enum value) => NameOf(value.ToString());

    private static string NameOf(string member) => JsonNamingPolicy.KebabCaseLower.ConvertName(member);

    private static void Read(IConfigurationSection section, object target, List<string> problems)
    {
        var properties = Properties(target.GetType()).ToList();
        foreach (var child in section.GetChildren())
        {
            var property = properties.Find(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase));
            if (properties.Find(property => IsFormerly(property, child.Key)) is { } successor)
            {
                problems.Add($"'{child.Path}' is '{section.Path}:{successor.Name}' now; {Contents(successor)}.");
            }
            else if (property is null)
            {
                problems.Add($"Unknown setting '{child.Path}'{(child.Value is null || MayBeSecret(child.Key) ? "" : $" with the value '{child.Value}'")}; '{section.Path}' has {string.Join(", ", properties.Select(property => property.Name))}.");
            }
            else if (property.GetCustomAttribute<SettingAttribute>() is null)
            {
                ReadSection(child, property.GetValue(target)!, problems);
            }
            else if (property.GetValue(target) is IDictionary entries)
            {
                ReadEntries(child, property, entries, problems);
            }
            else if (!TryConvert(child, property.PropertyType, out var value) || !IsValid(property, value))
            {
                problems.Add($"'{child.Path}' is {Quote(child.Value) ?? "a section"}; allowed: {Allowed(property)}.");
            }
            else
            {
                property.SetValue(target, value);
            }
        }
    }

    // Names that the user chooses, each with a value or a section of its own.
    private static void ReadEntries(IConfigurationSection section, PropertyInfo property, IDictionary entries, List<string> problems)
    {
        var sectionType = SectionType(property);
        if (!string.IsNullOrEmpty(section.Value))
        {
            problems.Add($"'{section.Path}' is {Quote(section.Value)}; it is a section whose keys are names of your own, as in '{section.Path}:name'.");
        }

        foreach (var entry in section.GetChildren())
        {
            if (sectionType is not null)
            {
                var value = Activator.CreateInstance(sectionType)!;
                ReadSection(entry, value, problems);
                entries[entry.Key] = value;
            }
            else if (string.IsNullOrEmpty(entry.Value) || !property.GetCustomAttributes<ValidationAttribute>().All(attribute => attribute.IsValid(entry.Value)))
            {
                problems.Add($"'{entry.Path}' is {Quote(entry.Value) ?? "a section"}; allowed: {Allowed(property)}.");
            }
            else
            {
                entries[entry.Key] = entry.Value;
            }
        }
    }

    private static void ReadSection(IConfigurationSection section, object target, List<string> problems)
    {
        if (!string.IsNullOrEmpty(section.Value))
        {
            problems.Add($"'{section.Path}' is {Quote(section.Value)}; it is a section with {NamesOf(target.GetType())}.");
        }

        Read(section, target, problems);
    }

    private static bool IsFormerly(PropertyInfo property, string name) =>
        property.GetCustomAttribute<SettingAttribute>()?.Formerly.Contains(name, StringComparer.OrdinalIgnoreCase) == true;

    private static string Contents(PropertyInfo property) => SectionType(property) is { } section
        ? $"it has a section for each name, with {NamesOf(section)}"
        : $"allowed: {Allowed(property)}";

    private static string NamesOf(Type type) => string.Join(", ", Properties(type).Select(property => property.Name));

    // Of a setting whose keys are names of the user's own, each with a section.
    private static Type? SectionType(PropertyInfo property) =>
        property.PropertyType.IsGenericType && property.PropertyType.GetGenericTypeDefinition() == typeof(Dictionary<,>)
            && property.PropertyType.GetGenericArguments()[1] is var type && type != typeof(string)
            ? type
            : null;

    private static IEnumerable<PropertyInfo> Properties(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .OrderBy(property => property.DeclaringType == type ? 1 : 0);

    private static bool TryConvert(IConfigurationSection section, Type type, out object? value)
    {
        var text = section.Value;
        value = null;

        if (type == typeof(IReadOnlyList<string>))
        {
            value = string.IsNullOrEmpty(text)
                ? section.GetChildren().Select(item => item.Value ?? "").ToList()
                : text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).ToList();
            return true;
        }

        if (text is null)
        {
            return false;
        }

        if (type == typeof(string))
        {
            value = text.Length == 0 ? null : text;
            return true;
        }

        if (type.IsEnum)
        {
            var member = Enum.GetNames(type).FirstOrDefault(name => NameOf(name).Equals(text, StringComparison.OrdinalIgnoreCase));
            value = member is null ? null : Enum.Parse(type, member);
            return member is not null;
        }

        if (type == typeof(bool))
        {
            var parsed = bool.TryParse(text, out var flag);
            value = flag;
            return parsed;
        }

        if (type == typeof(TimeSpan))
        {
            var parsed = Duration.TryParse(text, out var duration);
            value = duration;
            return parsed;
        }

        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return text.Length == 0 || TryConvert(section, underlying, out value);
        }

        if (type == typeof(long))
        {
            var parsed = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var large);
            value = large;
            return parsed;
        }

        var isNumber = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        value = number;
        return isNumber;
    }

    private static bool IsValid(PropertyInfo property, object? value)
    {
        var required = new NullabilityInfoContext().Create(property).WriteState == NullabilityState.NotNull;
        return (value is not null || !required)
            && property.GetCustomAttributes<ValidationAttribute>().All(attribute => attribute.IsValid(value));
    }

    private static string Allowed(PropertyInfo property) => (Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType) switch
    {
        { IsEnum: true } type => string.Join(", ", Enum.GetNames(type).Select(NameOf)),
        var type when type == typeof(bool) => "true, false",
        _ => property.GetCustomAttribute<SettingAttribute>()!.Allowed ?? throw new InvalidOperationException($"{property.Name} does not say what is allowed."),
    };

    private static string Format(object? value) => value switch
    {
        null => "",
        Enum member => NameOf(member),
        bool => value.ToString()!.ToLowerInvariant(),
        TimeSpan duration => Duration.Format(duration),
        IDictionary => "",
        IEnumerable<string> list => string.Join(",", list),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    // A misspelt name must not bring a secret onto the terminal.
    private static bool MayBeSecret(string key) =>
        Array.Exists(s_secretWords, word => key.Contains(word, StringComparison.OrdinalIgnoreCase));

    private static string? Quote(string? value) => value is null ? null : $"'{value}'";
}
