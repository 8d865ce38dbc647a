"""What the columns of a list are called: in several languages, by HR systems and by address books.

Headings are compared without case, accents, blanks and punctuation: “E-Mail-Adresse” is `emailadresse`. Which column
has the addresses is told by the addresses in it; headings only say that a row is one, and where the names are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# Of whom a path in an export tells: “user.firstName”.
_PATH = re.compile(r"\A(?:user|profile|person|employee|attendee|participant|student|learner)\.(?=\w)", re.IGNORECASE)


def _key(heading: str) -> str:
    letters = unicodedata.normalize("NFKD", _PATH.sub("", heading).casefold().replace("ł", "l").replace("ı", "i"))
    return "".join(char for char in letters if char.isalnum())


def _keys(words: str) -> frozenset[str]:
    return frozenset(map(_key, words.split()))


_EMAIL = _keys(
    """
    address addresses adresseelectronique adresseemail adressemail adressmail adresposty adresemail adresmail
    contactemail correo correoelectronico correos courriel courriels courrielprofessionnel direccionemail
    direcciondecorreo direcciondecorreoelectronico elektronischepost email emailadres emailadresse emailaddress
    emailaddresses emailprimarywork emails epost epostadress epostadresse eposta epostaadresi
    enderecodeemail homeemail indirizzoemail indirizzodipostaelettronica mail mailaddress mailadres mailadresse mails
    personalemail postaelettronica primaryemail primaryworkemail sahkoposti sahkopostiosoite studentemail useremail
    userprincipalname workemail workemailaddress
    メール メールアドレス 电子邮件 电子邮箱 邮箱 電子郵件 이메일 почта электроннаяпочта адресэлектроннойпочты
    البريدالإلكتروني البريدالالكتروني ایمیل דואל דואראלקטרוני อีเมล ईमेल имејл имейл
    """
)
_FULL = _keys(
    """
    ansprechpartner cn contactname
    attendee attendeename employee employeename fullname fullnaam legalname learner learnername lastnamefirstname
    member membername nomcomplet nomeprenom nombrecompleto nombreyapellidos nomecompleto nomecognome nomeecognome
    nometprenom participant participantname person preferredname displayname student studentname teilnehmer
    teilnehmerin vollstandigername worker workername anzeigename fulltnavn fullstandigtnamn imieinazwisko adsoyad
    氏名 名前 お名前 姓名 이름 성명 фио имяифамилия полноеимя الاسمالكامل 이름성명
    jménoapříjmení celéjméno menoapriezvisko imeiprezime imeinpriimek numecomplet numeleșiprenumele numeșiprenume
    teljesnév vardaspavardė vārdsuzvārds ονοματεπώνυμο πλήρεςόνομα піб прізвищеіімя прізвищетаімя họvàtên họtên
    namalengkap שםמלא نامکامل نامونامخانوادگی ชื่อนามสกุล ชื่อสกุล पूरानाम имеипрезиме
    """
)
_FIRST = _keys(
    """
    firstname firstnames forename forenames fornamn fornavn givenname givennames imie etunimi ad voornaam voornamen
    vorname vornamen prenom prenoms nombredepila nombres primernombre primeironome 名 имя الاسمالأول firstgivenname
    křestníjméno krstnémeno prenume keresztnév utónév eesnimi імя prenomusuel prenomdusage rufname tilltalsnamn
    שםפרטי اسمالأول नामप्रथम
    """
)
_LAST = _keys(
    """
    nomdusage nomusuel sn
    achternaam apellido apellidos apelido cognome efternamn efternavn etternavn familienaam familienname familyname
    lastname lastnames nachname nachnamen nazwisko nomdefamille primerapellido sobrenome soyad soyadi sukunimi surname
    surnames zuname 姓 фамилия 성
    příjmení priezvisko prezime priimek vezetéknév családinév επώνυμο прізвище họ uzvārds pavardė perekonnanimi
    презиме שםמשפחה اسمالعائلة اللقب نامخانوادگی นามสกุล उपनाम
    """
)
# What stands before the last name, and behind it.
_BEFORE_LAST = _keys("namenszusatz tussenvoegsel voorvoegsel voorvoegsels vorsatzwort")
_SECOND_LAST = _keys("segundoapellido apellidomaterno secondlastname secondsurname")
# The whole name, or the part beside a column for the other part: “Nom, Prénom”, “Nome, Cognome”.
_NAME = _keys(
    "name names nom nombre nome naam navn namn nimi isim jméno meno ime име név nume nama όνομα tên vārds vardas "
    "الاسم שם نام ชื่อ नाम"
)
# What HR systems put before or behind “E-mail”.
_QUALIFIERS = (
    r"(business|company|corporate|office|personal|private|primary|professional|work|geschaftlich|dienstlich|privat|"
    r"professionnel(le)?|personnelle|corporativo|profesional|personal|laboral|empresa|aziendale|lavoro|zakelijk|"
    r"profissional|sluzbowy|会社|公司|工作|회사)+"
)
_QUALIFIED_EMAIL = re.compile(rf"{_QUALIFIERS}(?P<behind>.+)|(?P<before>.+?){_QUALIFIERS}")
# Columns that end like a name's but are about someone or something else.
_OTHERS = re.compile(
    r"account|boss|chef|company|contact(?!name)|department|email|emergency|employer|file|group|login|manager|middle|"
    r"organi[sz]ation|organi[sz]ationname|parent|phonetic|project|reports?to|sponsor|spouse|supervisor|team|user"
)


@dataclass(frozen=True, slots=True)
class NameColumns:
    """Where the name is: in one column, or in one for each part."""

    full: int | None = None
    first: int | None = None
    last: int | None = None
    before_last: int | None = None
    second_last: int | None = None

    def read(self, cells: Sequence[str]) -> str:
        first, *last = (
            self._cell(cells, place) for place in (self.first, self.before_last, self.last, self.second_last)
        )
        # Where names are written without an alphabet of sounds, the family comes first.
        parts = [*last, first] if _is_east_asian("".join([first, *last])) else [first, *last]
        return " ".join(filter(None, parts)) or self._cell(cells, self.full)

    @staticmethod
    def _cell(cells: Sequence[str], place: int | None) -> str:
        return cells[place] if place is not None and place < len(cells) else ""


def _is_east_asian(text: str) -> bool:
    kinds = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC")
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and all(unicodedata.name(char, "").startswith(kinds) for char in letters)


def is_email_heading(text: str) -> bool:
    key = _key(text)
    if key in _EMAIL or re.fullmatch(r"e?mail(address)?(1|value|1value|primary)*", key):
        return True
    qualified = _QUALIFIED_EMAIL.fullmatch(key)
    return qualified is not None and (qualified["behind"] or qualified["before"]) in _EMAIL


def is_name_heading(text: str) -> bool:
    return find_name_columns([text]) != NameColumns()


def is_heading_row(cells: Sequence[str]) -> bool:
    """Whether a row without an address is known to be a heading."""
    return any(is_email_heading(cell) for cell in cells)


def find_name_columns(headings: Sequence[str]) -> NameColumns:
    keys = [_key(heading) for heading in headings]
    first = _place(keys, _FIRST, r"(first|given|fore)names?")
    last = _place(keys, _LAST, r"(last|family|sur)names?")
    full = _place(keys, _FULL, r"(full|legal|display|preferred|employee|worker|participant|learner)name")
    before_last, second_last = _place(keys, _BEFORE_LAST), _place(keys, _SECOND_LAST)
    plain = next((place for place, key in enumerate(keys) if key in _NAME), None)
    if plain is not None:
        if first is not None and last is None:
            last = plain
        elif last is not None and first is None:
            first = plain
        elif full is None:
            full = plain
    return NameColumns(full, first, last, before_last, second_last)


def _place(keys: Sequence[str], known: frozenset[str], ending: str = "") -> int | None:
    exact = next((place for place, key in enumerate(keys) if key in known), None)
    if exact is not None or not ending:
        return exact
    pattern = re.compile(rf".*{ending}\Z")
    return next((place for place, key in enumerate(keys) if pattern.match(key) and not _OTHERS.search(key)), None)
