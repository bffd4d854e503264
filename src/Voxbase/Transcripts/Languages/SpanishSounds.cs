namespace Voxbase.Cleaning;

/// <summary>What letters sound like in Spanish, as most of its speakers have it: z and soft c are s, ll is y, b and v are one.</summary>
internal static class SpanishSounds
{
    // before letters after sounds
    public const string Rules = """
        . a . AA
        . ai . AY
        . ay # AY
        . ay C AY
        . au . AW
        . b . B
        . c . K
        . c E S
        . cc E K S
        . ch . CH
        . ck . K
        . d . D
        . e . EH
        . ei . EY
        . ey # EY
        . ey C EY
        . f . F
        . g . G
        . g E KH
        . gu E G
        . gu a G W
        . gu o G W
        . gü . G W
        . h . -
        # hue . W EH
        . i . IY
        . i V Y
        . i yV IY
        . j . KH
        . k . K
        . l . L
        . ll . Y
        . m . M
        . n . N
        . nv . M B
        . ñ . N Y
        . o . OW
        . oi . OY
        . oy # OY
        . oy C OY
        . p . P
        . ph . F
        # ps . S
        . q . K
        . qu . K
        . r . R
        . rr . R
        . s . S
        . sc E S
        . sh . SH
        . t . T
        . th . T
        . tz . T S
        . u . UW
        . u V W
        . ü . W
        . v . B
        . w . W
        . x . K S
        # x . S
        . y . IY
        . y V Y
        . z . S
        """;

    /// <summary>Capitals whose names are a vowel, alone or after their consonant, written as they sound.</summary>
    public const string Letters = "a a b be c ce d de e e g ge i i o o p pe t te u u v uve";
}
