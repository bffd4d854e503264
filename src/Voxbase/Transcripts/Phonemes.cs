using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Voxbase.Cleaning;

/// <summary>
/// The sounds that words of all languages are made of, and how far they are from each other. What letters sound like is <see cref="LetterSounds"/>.
/// </summary>
internal static class Phonemes
{
    /// <summary>The most sounds that a word or phrase is taken to have.</summary>
    public const int Longest = 40;

    // Vowels first: their order and places are those of Vowels. UE and OE are German ü and ö, KH is what ends "Bach" and begins "jota".
    private const string Names = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW UE OE P B T D K G F V TH DH S Z SH ZH CH JH M N NG L R W Y HH KH";
    private const int VowelCount = 17;

    private static readonly string[] All = Names.Split(' ');

    // Height (0 close to 1 open) and place (0 front to 1 back), of the beginning for a diphthong; then whether it glides.
    private static readonly (float Height, float Place, float Glide)[] Vowels =
    [
        (1f, .8f, 0), (.85f, .2f, 0), (.6f, .5f, 0), (.75f, 1f, 0), (.95f, .6f, .5f), (.95f, .5f, .5f), (.55f, .1f, 0), (.5f, .5f, .3f),
        (.4f, .1f, .3f), (.25f, .2f, 0), (0f, 0f, 0), (.45f, .9f, .3f), (.6f, .9f, .6f), (.25f, .8f, 0), (0f, .9f, 0), (0f, .4f, 0),
        (.45f, .45f, 0),
    ];

    // Place (0 lips to 1 throat), manner (0 stop, 1 affricate, 2 fricative, 3 nasal, 4 liquid, 5 glide) and voice.
    private static readonly (float Place, int Manner, int Voice)[] Consonants =
    [
        (0f, 0, 0), (0f, 0, 1), (.4f, 0, 0), (.4f, 0, 1), (.9f, 0, 0), (.9f, 0, 1), (.1f, 2, 0), (.1f, 2, 1), (.3f, 2, 0), (.3f, 2, 1),
        (.4f, 2, 0), (.4f, 2, 1), (.6f, 2, 0), (.6f, 2, 1), (.6f, 1, 0), (.6f, 1, 1), (0f, 3, 1), (.4f, 3, 1), (.9f, 3, 1), (.4f, 4, 1),
        (.6f, 4, 1), (.05f, 5, 1), (.7f, 5, 1), (1f, 5, 0), (.85f, 2, 0),
    ];

    private static readonly float[] Costs = MakeCosts();
    private static readonly float[] Indels = MakeIndels();
    private static readonly byte[] Coarse = MakeCoarse();

    /// <summary>A sound by its name; none: -1.</summary>
    public static int Find(string name) => Array.IndexOf(All, name);

    /// <summary>The names of sounds, for people to read.</summary>
    public static string Show(ReadOnlySpan<byte> sounds) => string.Join(' ', sounds.ToArray().Select(sound => All[sound]));

    public static bool IsVowel(byte sound) => sound < VowelCount;

    /// <summary>A bit for each kind of sound that occurs.</summary>
    public static uint Signature(ReadOnlySpan<byte> sounds)
    {
        var bits = 0u;
        foreach (var sound in sounds)
            bits |= 1u << (IsVowel(sound) ? 0 : sound - VowelCount + 1);
        return bits;
    }

    /// <summary>How many keys there are at most.</summary>
    public const int KeyCount = 64;

    /// <summary>The kind of a consonant, from 1 to 7; 0 for what is heard now and then only.</summary>
    public static byte KindOf(byte sound) => Coarse[sound];

    /// <summary>
    /// The weighted edit distance of two sounds, divided by their mean length; anything above <paramref name="most"/> when it is more than that.
    /// </summary>
    public static float Distance(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other, float most)
    {
        var mean = (one.Length + other.Length) / 2f;
        var bound = most * mean;
        Span<float> row = stackalloc float[Longest + 1];
        row[0] = 0;
        for (var j = 0; j < other.Length; j++)
            row[j + 1] = row[j] + Indels[other[j]];
        for (var i = 0; i < one.Length; i++)
        {
            var diagonal = row[0];
            row[0] += Indels[one[i]];
            var least = row[0];
            var costs = Costs.AsSpan(one[i] * All.Length, All.Length);
            for (var j = 0; j < other.Length; j++)
            {
                var best = diagonal + costs[other[j]];
                diagonal = row[j + 1];
                best = Math.Min(best, diagonal + Indels[one[i]]);
                best = Math.Min(best, row[j] + Indels[other[j]]);
                row[j + 1] = best;
                least = Math.Min(least, best);
            }

            if (least > bound)
                return most + 1;
        }

        return row[other.Length] / mean;
    }

    /// <summary>What a sound costs that only one of two has.</summary>
    public static float Indel(byte sound) => Indels[sound];

    /// <summary>The least that a sound costs which only one of two has.</summary>
    public const float LeastIndel = .55f;

    /// <summary>
    /// The next row of distances: from the beginnings of <paramref name="said"/> to a beginning that is one sound longer, for the columns from
    /// <paramref name="first"/> to <paramref name="last"/>; those beside them are too far for any. Gives the least of it.
    /// </summary>
    /// <param name="said">The sounds.</param>
    /// <param name="indels">What each of them costs alone.</param>
    /// <param name="sound">The sound that comes next.</param>
    /// <param name="from">The row before: one more than there are sounds.</param>
    /// <param name="to">This row.</param>
    /// <param name="first">The first column.</param>
    /// <param name="last">The last.</param>
    public static float Step(ReadOnlySpan<byte> said, ReadOnlySpan<float> indels, byte sound, ReadOnlySpan<float> from, Span<float> to, int first, int last)
    {
        // Within these, all below is: the innermost loop of the cleaner goes without looking again.
        if (last > said.Length || last > indels.Length || last >= from.Length || last >= to.Length || first < 0)
            throw new ArgumentOutOfRangeException(nameof(last));
        ref var costs = ref Costs[sound * All.Length];
        ref var heard = ref MemoryMarshal.GetReference(said);
        ref var alone = ref MemoryMarshal.GetReference(indels);
        ref var above = ref MemoryMarshal.GetReference(from);
        ref var row = ref MemoryMarshal.GetReference(to);
        var indel = Indels[sound];
        var least = float.MaxValue;
        var left = float.MaxValue;
        if (first == 0)
        {
            least = left = row = above + indel;
            first = 1;
        }
        else
        {
            Unsafe.Add(ref row, first - 1) = float.MaxValue;
        }

        var diagonal = Unsafe.Add(ref above, first - 1);
        for (var j = first; j <= last; j++)
        {
            var over = Unsafe.Add(ref above, j);
            var cost = diagonal + Unsafe.Add(ref costs, Unsafe.Add(ref heard, j - 1));
            diagonal = over;
            over += indel;
            left += Unsafe.Add(ref alone, j - 1);
            cost = cost < over ? cost : over;
            left = cost < left ? cost : left;
            Unsafe.Add(ref row, j) = left;
            least = left < least ? left : least;
        }

        if (last + 1 < to.Length)
            Unsafe.Add(ref row, last + 1) = float.MaxValue;
        return least;
    }

    /// <summary>Whether two words are the same but for accents.</summary>
    public static bool SameFolded(ReadOnlySpan<char> one, ReadOnlySpan<char> other)
    {
        if (one.Length != other.Length)
            return false;
        for (var i = 0; i < one.Length; i++)
        {
            if (one[i] != other[i] && (Fold(one[i]) != Fold(other[i]) || Fold(one[i]) == '\0'))
                return false;
        }

        return true;
    }

    /// <summary>A letter without its accent; NUL for what is none of a to z.</summary>
    public static char Fold(char letter) => letter switch
    {
        >= 'a' and <= 'z' => letter,
        'à' or 'á' or 'â' or 'ã' or 'ä' or 'å' or 'ā' or 'ą' => 'a',
        'è' or 'é' or 'ê' or 'ë' or 'ę' or 'ě' => 'e',
        'ì' or 'í' or 'î' or 'ï' => 'i',
        'ò' or 'ó' or 'ô' or 'õ' or 'ö' or 'ø' => 'o',
        'ù' or 'ú' or 'û' or 'ü' => 'u',
        'ç' or 'č' or 'ć' => 'c',
        'ñ' or 'ń' => 'n',
        'š' or 'ś' or 'ß' => 's',
        'ž' or 'ź' or 'ż' => 'z',
        'ł' => 'l',
        'ý' => 'y',
        _ => '\0',
    };

    private static float[] MakeCosts()
    {
        var costs = new float[All.Length * All.Length];
        for (var a = 0; a < All.Length; a++)
        {
            for (var b = 0; b < All.Length; b++)
                costs[(a * All.Length) + b] = Cost(a, b);
        }

        // R and the vowel coloured by it, and the glides and their vowels, are near.
        Near("R", "ER", .35f);
        Near("W", "UW", .4f);
        Near("Y", "IY", .4f);
        Near("W", "V", .3f);
        Near("TH", "F", .3f);
        Near("TH", "T", .35f);
        Near("DH", "D", .3f);
        Near("K", "CH", .55f);
        Near("JH", "G", .5f);
        Near("JH", "Y", .6f);
        Near("S", "CH", .5f);
        Near("KH", "HH", .35f);
        Near("KH", "K", .45f);
        Near("KH", "R", .55f);
        Near("KH", "G", .5f);
        return costs;

        void Near(string one, string other, float cost)
        {
            var (a, b) = (Array.IndexOf(All, one), Array.IndexOf(All, other));
            costs[(a * All.Length) + b] = costs[(b * All.Length) + a] = cost;
        }
    }

    private static float Cost(int a, int b)
    {
        if (a == b)
            return 0;
        if (a < VowelCount && b < VowelCount)
        {
            var (v, w) = (Vowels[a], Vowels[b]);
            return Math.Min(.7f, .12f + (.45f * Math.Abs(v.Height - w.Height)) + (.3f * Math.Abs(v.Place - w.Place)) + (.2f * Math.Abs(v.Glide - w.Glide)));
        }

        if (a < VowelCount || b < VowelCount)
            return 1.3f;
        var (c, d) = (Consonants[a - VowelCount], Consonants[b - VowelCount]);
        var manner = c.Manner == d.Manner ? 0 : Math.Abs(c.Manner - d.Manner) == 1 ? .35f : .6f;
        return Math.Min(1f, .1f + manner + (.6f * Math.Abs(c.Place - d.Place)) + (c.Voice == d.Voice ? 0 : .15f));
    }

    private static float[] MakeIndels() =>
        [.. All.Select((name, i) => name is "AH" or "IH" or "ER" or "HH" ? .55f : i < VowelCount || name is "KH" ? .7f : name is "T" or "D" or "W" or "Y" or "R" ? .75f : .9f)];

    private static byte[] MakeCoarse() =>
        [.. All.Select((name, i) => (byte)(i < VowelCount ? 0 : name switch
        {
            "P" or "B" or "F" or "V" => 1,
            "T" or "D" or "TH" or "DH" => 2,
            "K" or "G" => 3,
            "S" or "Z" or "SH" or "ZH" or "CH" or "JH" => 4,
            "M" or "N" or "NG" => 5,
            "L" => 6,
            "R" => 7,
            _ => 0,
        }))];
}

/// <summary>Keys of what is said: its first two consonants, and its last two, by kind. What sounds alike shares one of them.</summary>
internal struct SoundKeys
{
    private int seen;

    public int First { get; private set; }

    public int Last { get; private set; }

    /// <summary>The keys of a whole.</summary>
    public static SoundKeys Of(ReadOnlySpan<byte> sounds)
    {
        var keys = new SoundKeys();
        keys.Add(sounds);
        return keys;
    }

    /// <summary>Adds the sounds that follow.</summary>
    public void Add(ReadOnlySpan<byte> sounds)
    {
        foreach (var sound in sounds)
        {
            int kind = Phonemes.KindOf(sound);
            if (kind == 0)
                continue;
            if (seen++ < 2)
                First = (First * 8) + kind;
            Last = ((Last * 8) + kind) & (Phonemes.KeyCount - 1);
        }
    }
}
