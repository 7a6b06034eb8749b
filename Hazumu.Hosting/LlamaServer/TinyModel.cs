using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Hazumu.Hosting.LlamaServer;

/// <summary>
/// A model of two small layers with random weights, in GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): its words mean
/// nothing, but an engine loads and runs it like any other, with no download.
/// </summary>
public static class TinyModel
{
    /// <summary>The name by which it is served.</summary>
    public const string Name = "tiny";

    /// <summary>The name of the file.</summary>
    public const string FileName = $"{Name}.gguf";

    private const int Width = 64;
    private const int Layers = 2;
    private const int Heads = 4;
    private const int KeyValueHeads = 2;
    private const int FeedForward = 128;
    private const int Alignment = 32;

    private enum TokenType
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        Byte = 6,
    }

    private static readonly Lazy<byte[]> s_file = new(Write);

    /// <summary>The file: about 300 KB, the same bytes every time.</summary>
    public static byte[] File => s_file.Value;

    /// <summary>Ollama's name for the file's content: <c>sha256:…</c>.</summary>
    public static string Digest => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(File))}";

    private static byte[] Write()
    {
        var tokens = Tokens().ToList();
        var firstWord = tokens.Count(token => !token.Text.StartsWith('▁') || token.Text.Length == 1);
        var metadata = new Metadata()
            .Add("general.architecture", "llama").Add("general.name", Name).Add("general.file_type", 1u)
            .Add("llama.context_length", 2048u).Add("llama.embedding_length", (uint)Width).Add("llama.block_count", (uint)Layers)
            .Add("llama.feed_forward_length", (uint)FeedForward).Add("llama.attention.head_count", (uint)Heads)
            .Add("llama.attention.head_count_kv", (uint)KeyValueHeads).Add("llama.attention.layer_norm_rms_epsilon", 1e-5f)
            .Add("llama.rope.dimension_count", (uint)(Width / Heads)).Add("llama.vocab_size", (uint)tokens.Count)
            .Add("tokenizer.ggml.model", "llama").Add("tokenizer.ggml.tokens", tokens.ConvertAll(token => token.Text))
            .Add("tokenizer.ggml.scores", tokens.Select((token, i) => token.Type == TokenType.Normal ? -(float)i : 0f).ToList())
            .Add("tokenizer.ggml.token_type", tokens.ConvertAll(token => (int)token.Type))
            .Add("tokenizer.ggml.bos_token_id", 1u).Add("tokenizer.ggml.eos_token_id", 2u).Add("tokenizer.ggml.unknown_token_id", 0u)
            .Add("tokenizer.ggml.add_bos_token", true)
            .Add("tokenizer.chat_template", "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:");

        var tensors = Tensors(tokens.Count, firstWord).ToList();
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        metadata.WriteTo(writer);

        ulong offset = 0;
        foreach (var tensor in tensors)
        {
            Metadata.WriteText(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Length);
            foreach (var length in tensor.Shape)
            {
                writer.Write((ulong)length);
            }

            writer.Write(tensor.IsHalf ? 1u : 0u);
            writer.Write(offset);
            offset += (ulong)Padded(tensor.Data.Length);
        }

        Pad(writer);
        foreach (var tensor in tensors)
        {
            writer.Write(tensor.Data);
            Pad(writer);
        }

        writer.Flush();
        return file.ToArray();
    }

    private static IEnumerable<(string Text, TokenType Type)> Tokens()
    {
        yield return ("<unk>", TokenType.Unknown);
        yield return ("<s>", TokenType.Control);
        yield return ("</s>", TokenType.Control);

        for (var i = 0; i < 256; i++)
        {
            yield return ($"<0x{i:X2}>", TokenType.Byte);
        }

        foreach (var text in "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?:;'-<|>_\n")
        {
            yield return (text.ToString(), TokenType.Normal);
        }

        var syllables = (from consonant in "bdfgklmnprstvz" from vowel in "aeiou" select $"{consonant}{vowel}").ToList();
        foreach (var syllable in syllables)
        {
            yield return (syllable, TokenType.Normal);
        }

        for (var i = 0; i < syllables.Count; i++)
        {
            yield return ($"▁{syllables[i]}{syllables[(i + 1) % syllables.Count]}", TokenType.Normal);
        }
    }

    private static IEnumerable<Tensor> Tensors(int vocabulary, int firstWord)
    {
        var random = new Random(7);
        yield return Matrix("token_embd.weight", vocabulary, Width, 1);
        yield return Ones("output_norm.weight");

        // Only words and the end are likely; bytes and characters stay at logit 0.
        yield return Matrix("output.weight", vocabulary, Width, 0.5, row => row == 2 || row >= firstWord);

        for (var layer = 0; layer < Layers; layer++)
        {
            var block = $"blk.{layer}";
            yield return Ones($"{block}.attn_norm.weight");
            yield return Ones($"{block}.ffn_norm.weight");
            yield return Matrix($"{block}.attn_q.weight", Width, Width, 0.125);
            yield return Matrix($"{block}.attn_k.weight", Width * KeyValueHeads / Heads, Width, 0.125);
            yield return Matrix($"{block}.attn_v.weight", Width * KeyValueHeads / Heads, Width, 0.125);
            yield return Matrix($"{block}.attn_output.weight", Width, Width, 0.125);
            yield return Matrix($"{block}.ffn_gate.weight", FeedForward, Width, 0.125);
            yield return Matrix($"{block}.ffn_up.weight", FeedForward, Width, 0.125);
            yield return Matrix($"{block}.ffn_down.weight", Width, FeedForward, 0.125);
        }

        Tensor Matrix(string name, int rows, int columns, double scale, Func<int, bool>? filled = null)
        {
            var data = new byte[rows * columns * sizeof(ushort)];
            for (var i = 0; i < rows * columns; i++)
            {
                var value = filled is null || filled(i / columns) ? (Half)(Normal() * scale) : Half.Zero;
                BinaryPrimitives.WriteHalfLittleEndian(data.AsSpan(i * sizeof(ushort)), value);
            }

            return new(name, [columns, rows], IsHalf: true, data);
        }

        static Tensor Ones(string name)
        {
            var data = new byte[Width * sizeof(float)];
            for (var i = 0; i < Width; i++)
            {
                BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(i * sizeof(float)), 1);
            }

            return new(name, [Width], IsHalf: false, data);
        }

        // Box and Muller's transform of two uniform numbers.
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    private static int Padded(int length) => (length + Alignment - 1) / Alignment * Alignment;

    private static void Pad(BinaryWriter writer)
    {
        writer.Flush();
        var position = (int)writer.BaseStream.Position;
        writer.Write(new byte[Padded(position) - position]);
    }

    private sealed record Tensor(string Name, int[] Shape, bool IsHalf, byte[] Data);

    private sealed class Metadata
    {
        private readonly List<Action<BinaryWriter>> _entries = [];

        public int Count => _entries.Count;

        public Metadata Add(string key, uint value) => Add(key, 4, writer => writer.Write(value));

        public Metadata Add(string key, float value) => Add(key, 6, writer => writer.Write(value));

        public Metadata Add(string key, bool value) => Add(key, 7, writer => writer.Write(value));

        public Metadata Add(string key, string value) => Add(key, 8, writer => WriteText(writer, value));

        public Metadata Add(string key, List<int> values) => AddArray(key, 5, values, (writer, value) => writer.Write(value));

        public Metadata Add(string key, List<float> values) => AddArray(key, 6, values, (writer, value) => writer.Write(value));

        public Metadata Add(string key, List<string> values) => AddArray(key, 8, values, WriteText);

        public void WriteTo(BinaryWriter writer) => _entries.ForEach(write => write(writer));

        public static void WriteText(BinaryWriter writer, string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            writer.Write((ulong)bytes.Length);
            writer.Write(bytes);
        }

        private Metadata AddArray<T>(string key, uint type, List<T> values, Action<BinaryWriter, T> write) => Add(key, 9, writer =>
        {
            writer.Write(type);
            writer.Write((ulong)values.Count);
            values.ForEach(value => write(writer, value));
        });

        private Metadata Add(string key, uint type, Action<BinaryWriter> writeValue)
        {
            _entries.Add(writer =>
            {
                WriteText(writer, key);
                writer.Write(type);
                writeValue(writer);
            });
            return this;
        }
    }
}
