namespace Voxbase.Cleaning;

/// <summary>What letters sound like in French. Nasal vowels are a vowel and NG, which French has nowhere else; links between words are not heard.</summary>
internal static class FrenchSounds
{
    // before letters after sounds
    public const string Rules = """
        . a . AA
        . ai . EH
        . aî . EH
        . ay . EH
        . ay V EH Y
        . au . OW
        . eau . OW
        . aul # OW
        . ault # OW
        . aulx # OW
        . ail # AY
        . aill . AY
        . ain C EH NG
        . ain # EH NG
        . aim # EH NG
        . ainn . EH N
        . an C AA NG
        . an # AA NG
        . ann . AA N
        . am b AA NG
        . am p AA NG
        . anh V AA N
        . aï . AA IY
        . b . B
        . b # -
        . bb . B
        . c . K
        . c E S
        . cc E K S
        . ch . SH
        . chr . K R
        . ck . K
        . ct # K T
        n c # -
        . ç . S
        . d . D
        . d # -
        . ds # -
        . e . AH
        . e # -
        . e CC EH
        . e C# EH
        . es # -
        . é . EY
        . è . EH
        . ê . EH
        . ë . EH
        . er # EY
        . ers # EY
        . ez # EY
        . et # EH
        . ets # EH
        . ei . EH
        . ein C EH NG
        . ein # EH NG
        . einn . EH N
        . eil # EH Y
        . eill . EH Y
        . eu . OE
        . euil . OE Y
        . euill . OE Y
        . en C AA NG
        . en # AA NG
        . enn . EH N
        . em b AA NG
        . em p AA NG
        . emm . EH M
        . enh V EH N
        . ex . EH G Z
        . exc . EH K S
        . f . F
        . ff . F
        . g . G
        . g E ZH
        . g # -
        . ge a ZH
        . ge o ZH
        . gn . N Y
        . gu E G
        . gue # G
        . gues # G
        . h . -
        . i . IY
        . i V Y
        . i yV IY
        . ie # IY
        . ies # IY
        . ien # Y EH NG
        . ien C Y EH NG
        . ienn . Y EH N
        . il # IY L
        . ill . IY Y
        # ill . IY L
        . ille # IY Y
        . in C EH NG
        . in # EH NG
        . inn . IY N
        . inh V IY N
        . im b EH NG
        . im p EH NG
        . î . IY
        . ï . IY
        . j . ZH
        . k . K
        . l . L
        . ll . L
        . m . M
        . mm . M
        . n . N
        . nn . N
        . ng # NG
        . o . AO
        . o # OW
        . ô . OW
        . ot # OW
        . ots # OW
        . os # OW
        . œ . OE
        . œu . OE
        . oeu . OE
        . oa . W AA
        . oi . W AA
        . oî . W AA
        . oy . W AA
        . oy V W AA Y
        . oin . W EH NG
        . oê . W AA
        . on C AO NG
        . on # AO NG
        . onn . AO N
        . onh V AO N
        . om b AO NG
        . om p AO NG
        . om # AO NG
        . ou . UW
        . ou V W
        . où . UW
        . oû . UW
        . oue # UW
        . ouill . UW Y
        . ouil # UW Y
        . p . P
        . p # -
        . ps # -
        . ph . F
        . pp . P
        . q . K
        . qu . K
        . que # K
        . ques # K
        . r . R
        . rh . R
        . s . S
        V s V Z
        . s # -
        . ss . S
        . sc E S
        . sch . SH
        . sh . SH
        . t . T
        . t # -
        . ts # -
        . th . T
        . tt . T
        . tion . S Y AO NG
        . tch . CH
        . u . UE
        . û . UE
        . ù . UE
        . ue # UE
        . ui . W IY
        . un C EH NG
        . un # EH NG
        . unn . UE N
        . um b EH NG
        . v . V
        . ville . V IY L
        . w . V
        . x . K S
        . x # -
        . y . IY
        . y V Y
        . ym b EH NG
        . ym p EH NG
        . yn C EH NG
        . yn # EH NG
        . z . Z
        . z # -
        """;

    /// <summary>Capitals whose names are a vowel, alone or after their consonant, written as they sound.</summary>
    public const string Letters = "a a b bé c cé d dé e eu g gé i i o o p pé t té u u v vé";
}
