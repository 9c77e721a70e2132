"""Every language that Firefox's models know, in its own script: words, ends of sentences, scripts, what is carried."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamtrans.text.carry import Carrier
from streamtrans.text.words import Word, WordReader, is_unspaced, join, source_words, stream_units

SENTENCES = {
    "af": "Goeie môre.|Hoe gaan dit met jou?|Dr. Botha is hier.",
    "ar": "صباح الخير.|كيف حالك؟|أنا بخير!",
    "az": "Sabahınız xeyir.|Necəsiniz?|Dr. Əliyev gəldi.",
    "be": "Добрай раніцы.|Як справы?|Я жыву на вул. Леніна.",
    "bg": "Добро утро.|Как сте?|Живея на ул. Раковски.|Чета напр. книги.",
    "bn": "শুভ সকাল।|আপনি কেমন আছেন?|ড. রহমান এসেছেন।",
    "bs": "Dobro jutro.|Kako ste?|Dr. Begić je ovdje.|To je npr. knjiga.",
    "ca": "Bon dia.|Com esteu?|El Sr. Puig és aquí.|No.|Sí.",
    "cs": "Dobré ráno.|Jak se máte?|Byl tam dr. Novák.|Je to např. kniha.|Řekl: „Pojď!“ a šel.",
    "cy": "Bore da.|Sut wyt ti?|Mae Dr. Jones yma.",
    "da": "Godmorgen.|Hvordan har du det?|Det er f.eks. en bog.|Hr. Hansen kom.",
    "de": "Guten Morgen.|Wie geht es Ihnen?|Er rief: „Halt!“ und lief.|Er sagte: „Komm.“|Dann ging er.",
    "el": "Καλημέρα.|Τι κάνεις;|Ο κ. Παπαδόπουλος ήρθε.|Διαβάζω π.χ. βιβλία.|Είπε: «Έλα!» και έφυγε.",
    "en": "Good morning.|How are you?|Dr. Brown is here.",
    "es": "Buenos días.|¿Cómo estás?|El Sr. García está aquí.|¡Hola!",
    "et": "Tere hommikust.|Kuidas läheb?|See on nt. raamat.|Tulen 3. mail.",
    "eu": "Egun on.|Zer moduz?|Dr. Agirre hemen da.",
    "fa": "صبح بخیر.|حال شما چطور است؟|من خوبم!|می\u200cخواهم بروم.",
    "fi": "Hyvää huomenta.|Mitä kuuluu?|Luen esim. kirjoja.|Tulen 3. toukokuuta.",
    "fr": "Bonjour.|Comment allez-vous ?|M. Dupont est là.|« Bonjour ! » dit-il.|« Bonjour ! »|Il partit.",
    "ga": "Maidin mhaith.|Conas atá tú?|Tá an Dr. Ó Briain anseo.",
    "gl": "Bos días.|Como estás?|O Sr. Castro está aquí.",
    "gu": "સુપ્રભાત.|તમે કેમ છો?|ડૉ. પટેલ આવ્યા.",
    "he": "בוקר טוב.|מה שלומך?|אני בסדר!",
    "hi": "सुप्रभात।|आप कैसे हैं?|डॉ. शर्मा आए।|वे गए।",
    "hr": "Dobro jutro.|Kako ste?|To je npr. knjiga.|Dolazim 3. svibnja.",
    "hu": "Jó reggelt.|Hogy van?|Ez pl. egy könyv.|Dr. Nagy itt van.",
    "hy": "Բարի լույս։|Ինչպես եք։|Լավ։",
    "id": "Selamat pagi.|Apa kabar?|Dr. Hadi ada di sini.|Dia tinggal di Jl. Sudirman.",
    "is": "Góðan daginn.|Hvað segirðu?|Þetta er t.d. bók.|Ég kem 3. maí.",
    "it": "Buongiorno.|Come sta?|Il sig. Rossi è qui.|Ho detto di no.|Poi sono andato.",
    "ja": "おはようございます。|お元気ですか？|「はい。」|東京へ行きます！",
    "ka": "დილა მშვიდობისა.|როგორ ხართ?|კარგად!",
    "kn": "ಶುಭೋದಯ.|ನೀವು ಹೇಗಿದ್ದೀರಿ?|ಡಾ. ರಾವ್ ಬಂದರು.",
    "ko": "안녕하세요.|잘 지내세요?|네!",
    "lt": "Labas rytas.|Kaip sekasi?|Tai yra pvz. knyga.",
    "lv": "Labrīt.|Kā klājas?|Tā ir piem. grāmata.|Nākšu 3. maijā.",
    "mk": "Добро утро.|Како сте?|Д-р Петров е тука.|Живеам на ул. Македонија.",
    "ml": "സുപ്രഭാതം.|സുഖമാണോ?|ഡോ. നായർ വന്നു.",
    "ms": "Selamat pagi.|Apa khabar?|Dr. Ahmad ada di sini.",
    "mt": "Bonġu.|Kif int?|Dr. Borg qiegħed hawn.",
    "nb": "God morgen.|Hvordan har du det?|Det er f.eks. en bok.|Jeg kommer 3. mai.",
    "nl": "Goedemorgen.|Hoe gaat het?|Dhr. Jansen is hier.|Dat is bijv. een boek.|Geef me je hand.|Goed.",
    "nn": "God morgon.|Korleis har du det?|Det er f.eks. ei bok.",
    "no": "God morgen.|Hvordan har du det?|Jeg kommer 3. mai.",
    "pl": "Dzień dobry.|Jak się masz?|To jest np. książka.|Mieszkam na ul. Długiej.|Jadę 3. maja.",
    "pt": "Bom dia.|Como está?|O Sr. Silva chegou.",
    "ro": "Bună dimineața.|Ce mai faceți?|Dl. Popescu este aici.|E de ex. o carte.",
    "ru": "Доброе утро.|Как дела?|Он жил в г. Москва.|Это и т. д. и т. п. всегда.|Живу на ул. Ленина.",
    "sk": "Dobré ráno.|Ako sa máte?|Je to napr. kniha.|Prídem 3. mája.",
    "sl": "Dobro jutro.|Kako ste?|To je npr. knjiga.|Pridem 3. maja.",
    "sq": "Mirëmëngjes.|Si jeni?|Dr. Hoxha është këtu.",
    "sr": "Добро јутро.|Како сте?|То је нпр. књига.|Dobro jutro.|To je npr. knjiga.|Dolazim 3. maja.",
    "sv": "God morgon.|Hur mår du?|Det är t.ex. en bok.|Det är bl.a. bra.",
    "ta": "காலை வணக்கம்.|எப்படி இருக்கிறீர்கள்?|அவர் வந்தார்.",
    "te": "శుభోదయం.|మీరు ఎలా ఉన్నారు?|డా. రావు వచ్చారు.",
    "th": "สวัสดีครับ!|คุณสบายดีไหม?|ราคา 3.5 บาท",
    "tr": "Günaydın.|Nasılsınız?|Dr. Yılmaz geldi.|Elma vb. meyveler aldım.|3. sınıfa gidiyor.",
    "uk": "Доброго ранку.|Як справи?|Живу на вул. Шевченка.|Це і т. д. тут.",
    "ur": "صبح بخیر۔|آپ کیسے ہیں؟|میں ٹھیک ہوں!",
    "vi": "Chào buổi sáng.|Bạn khỏe không?|TP. Hồ Chí Minh rất đẹp.",
    "zh": "早上好。|你好吗？|他说：“好。”|我走了！",
    "zh-Hant": "早安。|你好嗎？|他說：「好。」|我走了！",
    "am": "እንደምን አደሩ።|እንዴት ነህ፧|ደህና ነኝ።",
    "my": "မင်္ဂလာပါ။|နေကောင်းလား။",
}
LANGUAGE = st.sampled_from(sorted(SENTENCES))
EXTRA = [
    " ",
    "\n",
    "3.5",
    "https://example.org/a",
    "👍🏽",
    "“",
    "»",
    "«",
    "\u00a0",
    "!?",
    "\x1b[1m",
    "NASA",
    "Ä",
    "\u200f",
]


def read(language, pieces):
    reader = WordReader(language)
    return [unit for piece in pieces for unit in reader.feed(piece)] + [*reader.flush()]


def sentences(language, text):
    found = [[]]
    for unit in read(language, [text]):
        if isinstance(unit, Word):
            found[-1].append(unit.text)
            found += [[]] * unit.ends_sentence
    return [join(words, language) for words in found if words]


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_end_where_a_reader_would_end_them(language):
    parts = SENTENCES[language].split("|")
    text = ("" if is_unspaced(language) else " ").join(parts)
    parts = [" ".join(part.split()) for part in parts]
    assert sentences(language, text) == parts


@st.composite
def text_of_a_language(draw):
    language = draw(LANGUAGE)
    letters = SENTENCES[language].replace("|", " ")
    parts = st.one_of(st.sampled_from(letters.split()), st.sampled_from(letters), st.sampled_from(EXTRA))
    return language, "".join(draw(st.lists(parts, max_size=30)))


@given(text_of_a_language(), st.lists(st.integers(0, 200), max_size=6))
def test_the_reader_finds_all_words_whatever_the_pieces(language_and_text, cuts):
    language, text = language_and_text
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    whole = read(language, [text])
    in_pieces = read(language, [text[a:b] for a, b in pairwise(edges)])
    assert [getattr(unit, "text", "\n") for unit in in_pieces] == [getattr(unit, "text", "\n") for unit in whole]
    assert [unit for unit in in_pieces if isinstance(unit, Word)] == [unit for unit in whole if isinstance(unit, Word)]
    if "\x1b" not in text:
        assert [unit.text for unit in whole if isinstance(unit, Word)] == source_words(text, language)


@pytest.mark.parametrize("language", SENTENCES)
def test_a_model_that_knows_its_language_reads_it_as_it_is(language):
    text = SENTENCES[language].replace("|", " ")
    carrier = Carrier(lambda text: True, language, "en")
    words = source_words(text, language)
    read_by_model = [*map(carrier.read, words), carrier.finish()]
    join_words = "".join if is_unspaced(language) else " ".join
    assert join_words(filter(None, read_by_model)) == join(words, language)
    assert carrier.foreign == 0


SCRIPTS = {
    "ru": "Привет мир", "el": "Καλημέρα κόσμε", "ar": "مرحبا بالعالم", "he": "שלום עולם", "hi": "नमस्ते दुनिया",
    "bn": "ওহে বিশ্ব", "gu": "નમસ્તે વિશ્વ", "ta": "வணக்கம் உலகம்", "te": "హలో ప్రపంచం", "kn": "ಹಲೋ ಪ್ರಪಂಚ",
    "ml": "ഹലോ ലോകം", "th": "สวัสดี", "ka": "გამარჯობა მსოფლიო", "hy": "Բարեւ աշխարհ", "am": "ሰላም ልዑል", "ko": "안녕 세상",
    "ja": "こんにちは", "zh": "你好世界", "my": "မင်္ဂလာပါ",
}  # fmt: skip


@pytest.mark.parametrize("script_of", SCRIPTS)
@pytest.mark.parametrize("language", ["en", "pt", "tr", "sr", "ru", "fa", "hi", "ko"])
def test_text_of_another_script_is_copied(language, script_of):
    shared = {"sr": {"ru"}, "ru": {"ru"}, "fa": {"ar"}, "hi": {"hi"}, "ko": {"ko", "zh"}}.get(language, set())
    carrier = Carrier(lambda text: True, language, "en")
    words = SCRIPTS[script_of].split()
    read_by_model = " ".join([*filter(None, map(carrier.read, words)), carrier.finish()]).strip()
    assert (read_by_model == SCRIPTS[script_of]) is (script_of in shared)
    assert carrier.foreign == (0 if script_of in shared else len(words))
    shown = [word for number in read_by_model.split() for word in carrier.write(number)] + carrier.owed()
    assert " ".join(shown) == SCRIPTS[script_of]


@given(text_of_a_language(), LANGUAGE)
def test_a_model_that_copies_gives_the_text_again(language_and_text, target):
    """With a vocabulary of ASCII and the language's own letters; the rest goes around the model or in other letters."""
    language, text = language_and_text
    assume(is_unspaced(language) == is_unspaced(target))
    text = text.replace("\n", " ").replace("\x1b[1m", "").replace("\u200f", "")
    own = set(SENTENCES[language]) | set("“”„«»’")
    carrier = Carrier(lambda text: all(c in own or c.isascii() for c in text), language, target)
    words = source_words(text, language)
    gap = "" if is_unspaced(language) else " "
    read_by_model = gap.join(filter(None, [*map(carrier.read, words), carrier.finish()]))
    shown = [shown for word in stream_units(read_by_model.strip(), target) for shown in carrier.write(word)]
    shown += carrier.owed()
    assert _letters(join(shown, target)) == _letters(text)


def _letters(text):
    """Its letters and signs, whatever their case and the spaces: an i with two dots counts as one with one."""
    return "".join(text.split()).casefold().replace("\u0307", "").replace("ı", "i")
