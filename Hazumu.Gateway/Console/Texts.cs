using System.Collections.Frozen;
using System.Globalization;

namespace Hazumu.Gateway.Console;

/// <summary>The texts of the console in one language.</summary>
internal sealed class Texts
{
    private static readonly (string Key, string English, string Japanese)[] s_all =
    [
        ("console", "Console", "コンソール"),
        ("skip", "Skip to content", "本文へ移動"),
        ("pages", "Pages", "ページ"),
        ("language", "日本語", "English"),
        ("live", "Live", "ライブ"),
        ("models", "Models", "モデル"),
        ("keys", "Keys", "キー"),
        ("usage", "Usage", "使用量"),
        ("try", "Try it", "試す"),
        ("sign-in", "Sign in", "サインイン"),
        ("sign-out", "Sign out", "サインアウト"),
        ("sign-in.key", "Key with the scope admin", "スコープ admin を持つキー"),
        ("sign-in.hint", "Create one where the gateway runs:", "ゲートウェイの動作する環境で作成できます:"),
        ("sign-in.wrong", "The key is not valid.", "キーが無効です。"),
        ("sign-in.expired", "The key has expired.", "キーの有効期限が切れています。"),
        ("sign-in.scope", "The key lacks the scope admin.", "キーにスコープ admin がありません。"),
        ("sign-in.toomany", "Too many attempts from this address. Try again in a minute.", "このアドレスからの試行が多すぎます。1 分後に再試行してください。"),
        ("connection.lost", "The connection to the gateway is lost. Connecting again…", "ゲートウェイとの接続が切れました。再接続しています…"),
        ("session.ended", "The session has ended. Sign in again.", "セッションが終了しました。再度サインインしてください。"),
        ("error", "The console has failed; the gateway's log has more details. Reload the page.", "コンソールでエラーが発生しました。詳細はゲートウェイのログにあります。ページを再読み込みしてください。"),

        ("live.tokens", "Tokens per second", "トークン/秒"),
        ("live.running", "Running", "実行中"),
        ("live.waiting", "Waiting", "待機中"),
        ("live.engines-up", "Engines up", "稼働エンジン"),
        ("live.engines", "Engines", "エンジン"),
        ("live.engines.empty", "No engine is known. Set Gateway:Engines, or start one with ./hazumu up.", "エンジンがありません。Gateway:Engines を設定するか、./hazumu up で起動してください。"),
        ("live.engine", "Engine", "エンジン"),
        ("live.state", "State", "状態"),
        ("live.memory", "Models in memory", "メモリ上のモデル"),
        ("live.memory.empty", "none", "なし"),
        ("live.vram", "GPU memory", "GPU メモリ"),
        ("live.slots", "Slots", "スロット"),
        ("live.queue", "Queue", "キュー"),
        ("live.queue.empty", "No request waits.", "待機中のリクエストはありません。"),
        ("live.model", "Model", "モデル"),
        ("live.expected", "Expected wait of the last", "最後尾の予想待ち時間"),
        ("live.requests", "Requests", "リクエスト"),
        ("live.requests.empty", "No request runs. Send one on the page “Try it”.", "実行中のリクエストはありません。「試す」ページから送信できます。"),
        ("live.requests.unmatched", "No request matches the filter.", "条件に一致するリクエストはありません。"),
        ("live.filter", "Filter by key, model or engine", "キー・モデル・エンジンで絞り込み"),
        ("live.key", "Key", "キー"),
        ("live.phase", "Phase", "フェーズ"),
        ("live.time", "Time", "経過時間"),
        ("live.answer", "Tokens", "トークン"),
        ("live.speed", "Tokens/s", "トークン/秒"),
        ("live.cancel", "Cancel", "中止"),
        ("live.cancelled", "Cancelled the request of {0}.", "{0} のリクエストを中止しました。"),
        ("live.gone", "The request has ended already.", "リクエストは既に終了しています。"),
        ("live.elsewhere", "Another gateway admits requests: slots and queue are shown there.", "別のゲートウェイがリクエストを受け付けています。スロットとキューはそちらに表示されます。"),
        ("state.up", "Up", "稼働中"),
        ("state.down", "Down", "停止"),
        ("state.unknown", "Not probed yet", "未確認"),
        ("state.open", "Circuit open: gets no requests", "サーキット開: リクエストを受けません"),
        ("state.half-open", "Circuit half-open: on trial", "サーキット半開: 試行中"),
        ("state.loading", "loading", "読み込み中"),
        ("phase.queue", "Queue", "待機"),
        ("phase.queue.place", "Queue, joined as number {0}", "待機 ({0} 番目に追加)"),
        ("phase.load", "Load", "読み込み"),
        ("phase.prefill", "Prefill", "プリフィル"),
        ("phase.decode", "Decode", "デコード"),

        ("models.pull", "Pull a model", "モデルを取得"),
        ("models.pull.do", "Pull", "取得"),
        ("models.pulled", "Pulled", "取得しました"),
        ("models.name", "Name", "名前"),
        ("models.target", "To", "取得先"),
        ("models.target.auto", "the gateway's choice", "ゲートウェイに任せる"),
        ("models.target.all", "every engine", "すべてのエンジン"),
        ("models.dismiss", "Dismiss", "閉じる"),
        ("models.stored", "Models", "モデル"),
        ("models.filter", "Filter by model or engine", "モデル・エンジンで絞り込み"),
        ("models.empty", "No engine has a model yet. Pull one above, such as llama3.2.", "モデルがまだありません。上で llama3.2 などを取得してください。"),
        ("models.unmatched", "No model matches the filter.", "条件に一致するモデルはありません。"),
        ("models.engines", "Engines", "エンジン"),
        ("models.in-memory", "In memory", "メモリ上"),
        ("models.on-disk", "On disk", "ディスク上"),
        ("models.loading", "Being loaded", "読み込み中"),
        ("models.size", "Size", "サイズ"),
        ("models.context", "Context", "コンテキスト"),
        ("models.used", "Last use", "最終使用"),
        ("models.ago", "{0} ago", "{0} 前"),
        ("models.unused", "not since the start", "起動後の使用なし"),
        ("models.actions", "Actions", "操作"),
        ("models.unmanaged", "managed by its engine", "エンジン側で管理"),
        ("models.busy", "working…", "処理中…"),
        ("models.load", "Load", "読み込む"),
        ("models.loaded", "{0} is in memory.", "{0} をメモリに読み込みました。"),
        ("models.unload", "Unload", "解放"),
        ("models.unloaded", "{0} has left memory.", "{0} をメモリから解放しました。"),
        ("models.delete", "Delete", "削除"),
        ("models.delete.ask", "Delete from {0}?", "{0} から削除しますか?"),
        ("models.keep", "Keep", "残す"),
        ("models.deleted", "{0} is deleted.", "{0} を削除しました。"),
        ("models.called", "also as {0}", "別名 {0}"),
        ("models.names", "Names and fallbacks", "別名とフォールバック"),
        ("models.names.name", "Name", "名前"),
        ("models.names.chain", "Served by", "担当モデル"),
        ("models.names.longer", "(the next one if more than {0} wait)", "(待機が {0} 件を超えると次へ)"),

        ("keys.open", "The gateway requires no key now (Gateway:Keys:Required): a key only sets name, limits and priority.", "現在ゲートウェイはキーを必須としていません (Gateway:Keys:Required)。キーは名前・制限・優先度の設定にだけ使われます。"),
        ("keys.create", "Create a key", "キーを作成"),
        ("keys.created", "The key {0}", "キー {0}"),
        ("keys.once", "Copy the key now: it is stored as a hash and not shown again.", "今すぐキーをコピーしてください。ハッシュとして保存され、再表示できません。"),
        ("keys.read-only", "The key file cannot be written here. Create keys with the command “keys create”, or change the Secret that holds them.", "ここではキーファイルに書き込めません。コマンド keys create を使うか、キーを保持する Secret を変更してください。"),
        ("keys.empty", "There is no key yet. Create one above.", "キーがまだありません。上で作成してください。"),
        ("keys.filter", "Filter by name", "名前で絞り込み"),
        ("keys.scopes", "Scopes", "スコープ"),
        ("keys.infer", "runs models", "モデルの実行"),
        ("keys.read", "looks at models", "モデルの参照"),
        ("keys.admin", "changes models, uses this console", "モデルの変更、コンソールの使用"),
        ("keys.models", "Models", "モデル"),
        ("keys.all", "all", "すべて"),
        ("keys.limits", "Limits", "制限"),
        ("keys.requests", "Requests per minute", "リクエスト/分"),
        ("keys.tokens", "Tokens per minute", "トークン/分"),
        ("keys.concurrent", "Requests at once", "同時リクエスト"),
        ("keys.unlimited", "no limit", "制限なし"),
        ("keys.priority", "Priority", "優先度"),
        ("keys.expires", "Expires", "有効期限"),
        ("keys.never", "never", "なし"),
        ("keys.days", "in {0} days", "{0} 日後"),
        ("keys.configured", "from the settings", "設定で定義"),
        ("keys.revoke", "Revoke", "失効"),
        ("keys.revoke.ask", "It stops working at once. Revoke it?", "すぐに使えなくなります。失効させますか?"),
        ("keys.revoked", "The key {0} is revoked.", "キー {0} を失効させました。"),

        ("usage.off", "No usage is kept. Set Gateway:Usage:File, or a database.", "使用量は記録されていません。Gateway:Usage:File かデータベースを設定してください。"),
        ("usage.empty", "No request was recorded in this time.", "この期間に記録されたリクエストはありません。"),
        ("usage.by", "By", "集計単位"),
        ("usage.by.key", "Key", "キー"),
        ("usage.by.user", "End user", "利用者"),
        ("usage.by.model", "Model", "モデル"),
        ("usage.by.day", "Day", "日"),
        ("usage.by.group", "Group", "グループ"),
        ("usage.from", "From", "開始日"),
        ("usage.to", "To", "終了日"),
        ("usage.show", "Show", "表示"),
        ("usage.sums", "Sums", "集計"),
        ("usage.failed", "Failed", "失敗"),
        ("usage.in", "Tokens in", "入力トークン"),
        ("usage.cached", "Cached", "キャッシュ"),
        ("usage.out", "Tokens out", "出力トークン"),
        ("usage.zone", "Days are those of the time zone {0}. Without dates: this month.", "日付のタイムゾーンは {0} です。日付を指定しない場合は今月分です。"),
        ("usage.truncated", "Only the first {0} rows are shown; the CSV has more.", "先頭の {0} 行だけを表示しています。CSV にはそれ以上が含まれます。"),
        ("usage.outage", "Usage cannot be read now: {0}", "現在、使用量を読み取れません: {0}"),

        ("try.empty", "No engine has a model that answers. Pull one on the page “Models”.", "応答できるモデルがありません。「モデル」ページで取得してください。"),
        ("try.prompt", "Prompt", "プロンプト"),
        ("try.example", "Why is the sky blue?", "空はなぜ青いのですか?"),
        ("try.send", "Send", "送信"),
        ("try.stop", "Stop", "停止"),
        ("try.answer", "Answer", "回答"),
        ("try.thinking", "Thinking", "思考"),
        ("try.facts", "{0} tokens in, {1} out, by {2}", "入力 {0} トークン、出力 {1} トークン、エンジン {2}"),
        ("try.code", "The same request in code", "同じリクエストのコード"),
        ("try.copy", "Copy", "コピー"),
        ("try.key", "HAZUMU_KEY is a variable with a key of yours.", "HAZUMU_KEY はご自身のキーを入れた環境変数です。"),
        ("try.key.ollama", "Register the client's public key first: keys create NAME --ollama-public-key ~/.ollama/id_ed25519.pub", "先にクライアントの公開鍵を登録してください: keys create NAME --ollama-public-key ~/.ollama/id_ed25519.pub"),

        ("page.previous", "Previous", "前へ"),
        ("page.next", "Next", "次へ"),
        ("page.range", "{0}–{1} of {2}", "{2} 件中 {0}–{1} 件"),
    ];

    private static readonly Texts s_english = new(Language.English, text => text.English);
    private static readonly Texts s_japanese = new(Language.Japanese, text => text.Japanese);

    private readonly FrozenDictionary<string, string> _texts;

    private Texts(string language, Func<(string Key, string English, string Japanese), string> choose)
    {
        Name = language;
        _texts = s_all.ToFrozenDictionary(text => text.Key, choose, StringComparer.Ordinal);
    }

    /// <summary>The language, as HTML names it.</summary>
    public string Name { get; }

    /// <summary>Whether the language is Japanese.</summary>
    public bool IsJapanese => Name == Language.Japanese;

    /// <summary>A text.</summary>
    public string this[string key] => _texts[key];

    /// <summary>A text with values in it.</summary>
    public string this[string key, params object?[] values] => string.Format(CultureInfo.InvariantCulture, _texts[key], values);

    /// <summary>The texts of a language; English unless it is Japanese.</summary>
    public static Texts Of(string? language) => language == Language.Japanese ? s_japanese : s_english;
}
