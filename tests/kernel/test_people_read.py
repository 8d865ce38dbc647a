"""Lists of people as other programs write them, and the questions a list leaves open."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import pytest
from openpyxl import Workbook

from mitxonline.kernel.names import clean_sent_name, has_address
from mitxonline.kernel.people.files import ENCODINGS, FileUnreadable
from mitxonline.kernel.people.lines import ListedPerson, format_people
from mitxonline.kernel.people.reader import About, PeopleList, read_people, read_people_file

JANE = ListedPerson("jane@x.example", "Jane Doe")
NAMELESS = ListedPerson("jane@x.example")
RICK = ListedPerson("rick@x.example", "Rick Roe")


def read(source: str | bytes, **answers: str) -> list[ListedPerson]:
    found = read_people(source, **answers) if isinstance(source, str) else read_people_file(source, **answers)
    assert found.question is None, found.question
    return list(found.people)


def read_file(text: str, **answers: str) -> PeopleList:
    return read_people_file(text.encode(), **answers)


@pytest.mark.parametrize(
    ("line", "person"),
    [
        ("Jane Doe, jane@x.example", JANE),
        ("jane@x.example, Jane Doe", JANE),
        ("Jane Doe jane@x.example", JANE),
        ("jane@x.example (Jane Doe)", JANE),
        ("Jane Doe (jane@x.example)", JANE),
        ("Jane Doe: jane@x.example", JANE),
        ("Jane Doe - jane@x.example", JANE),
        ('"Jane Doe" <jane@x.example>', JANE),
        ("Jane Doe <jane@x.example>;", JANE),
        ("<jane@x.example> Jane Doe", JANE),
        ("Jane Doe <mailto:jane@x.example>", JANE),
        ("Jane Doe <jane@x.example<mailto:jane@x.example>>", JANE),
        ("[Jane Doe](mailto:jane@x.example)", JANE),
        ("- Jane Doe, jane@x.example", JANE),
        ("3. Jane Doe, jane@x.example", JANE),
        ("Jane\x0bDoe, jane@x.example", JANE),
        ("Jane\u00a0Doe, jane@x.example\u00a0", JANE),
        ("Jane Doe, +1 555 0100, jane@x.example", JANE),
        ("Jane Doe | jane@x.example", JANE),
        ("jane@x.example|Jane Doe", JANE),
        ("Jane Doe / jane@x.example", JANE),
        ("jane@x.example = Jane Doe", JANE),
        ("jane@x.example:Jane Doe", JANE),
        ("Name: Jane Doe, E-mail: jane@x.example", JANE),
        ("E-Mail: jane@x.example; Name: Jane Doe", JANE),
        ("Nom : Jane Doe, Courriel : jane@x.example", JANE),
        ("Vorname: Jane Nachname: Doe E-Mail: jane@x.example", JANE),
        ("First name: Jane, Last name: Doe, Work e-mail: jane@x.example", JANE),
        ("Name: Jane Doe, Department: Sales, E-mail: mailto:jane@x.example, Phone: 555 0100", JANE),
        ("氏名：Jane Doe、メール：jane@x.example".replace("、", ","), JANE),
        ('"Doe, Jane" <jane@x.example>', ListedPerson("jane@x.example", "Doe, Jane")),
        ("Doe, Jane <jane@x.example>", ListedPerson("jane@x.example", "Doe, Jane")),
        ('"Doe, Jane", jane@x.example', ListedPerson("jane@x.example", "Doe, Jane")),
        ('"jane@x.example" <jane@x.example>', NAMELESS),
        ("jane@x.example", NAMELESS),
        ("mailto:jane@x.example", NAMELESS),
        ("mailto:jane@x.example?subject=Hello", NAMELESS),
        ("MAILTO:jane@x.example", NAMELESS),
        ("E-mail: jane@x.example", NAMELESS),
        ("To: jane@x.example", NAMELESS),
        ("Cc: Jane Doe <jane@x.example>", JANE),
        ("jane@x.example.", NAMELESS),
        ("jane@x.example;", NAMELESS),
        ("(jane@x.example),", NAMELESS),
        ("“jane@x.example”", NAMELESS),
        ("<jane@x.example>", NAMELESS),
        ("ja\u200bne@x.exam\ufeffple\u2060", NAMELESS),
        ("jane @ x.example", NAMELESS),
        ("jane@ x.example", NAMELESS),
        ("jane\uff20x.example", NAMELESS),
        ("\tjane@x.example\t", NAMELESS),
    ],
)
def test_one_person_however_they_are_written(line: str, person: ListedPerson) -> None:
    assert read(line) == [person]


@pytest.mark.parametrize(
    "text",
    [
        "Jane Doe, jane@x.example\nRick Roe, rick@x.example",
        "Jane Doe, jane@x.example; Rick Roe, rick@x.example",
        "Jane Doe <jane@x.example>, Rick Roe <rick@x.example>",
        "Jane Doe <jane@x.example>; Rick Roe <rick@x.example>;",
        "Jane Doe <jane@x.example> Rick Roe <rick@x.example>",
        "Jane Doe\tjane@x.example\r\nRick Roe\trick@x.example\r\n",
        "Jane Doe;jane@x.example\rRick Roe;rick@x.example",
        "Name, E-mail\nJane Doe, jane@x.example\nRick Roe, rick@x.example",
        "First name\tLast name\tMail\nJane\tDoe\tjane@x.example\nRick\tRoe\trick@x.example",
        "E-mail\n\nJane Doe <jane@x.example>\nRick Roe <rick@x.example>",
        "Jane Doe|jane@x.example\nRick Roe|rick@x.example",
        "Name|E-mail\nJane Doe|jane@x.example\nRick Roe|rick@x.example",
        "| Name | E-mail |\n|---|---|\n| Jane Doe | jane@x.example |\n| Rick Roe | rick@x.example |",
        "Name: Jane Doe, E-mail: jane@x.example\nName: Rick Roe, E-mail: rick@x.example",
        "Name: Jane Doe; E-mail: jane@x.example; Name: Rick Roe; E-mail: rick@x.example",
        "Name: Jane Doe\nE-mail: jane@x.example\n\nName: Rick Roe\nE-mail: rick@x.example\n",
        "E-Mail: jane@x.example\nName: Jane Doe\nTown: Berlin\nE-Mail: rick@x.example\nName: Rick Roe",
    ],
)
def test_two_people_however_they_are_listed(text: str) -> None:
    assert read(text) == [JANE, RICK]
    assert read_people(format_people([JANE, RICK])).people == (JANE, RICK)


def test_outlooks_list_with_last_names_first() -> None:
    assert read("Doe, Jane <jane@x.example>; Roe, Rick <rick@x.example>") == [
        ListedPerson("jane@x.example", "Doe, Jane"),
        ListedPerson("rick@x.example", "Roe, Rick"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Jane Doe, Acme, jane@x.example",
        "Jane, Doe, Berlin, jane@x.example",
        "jane doe@x.example",
        "Name: Jane Doe, E-mail: jane@x.example, Home email: jane@home.example",
        "Name: Jane Doe, E-mail: jane@x.example boss@x.example",
    ],
)
def test_what_could_be_read_in_two_ways_is_not_taken_as_data(line: str) -> None:
    (person,) = read(line)
    assert person.is_unclear
    assert "jane" in person.email
    (again,) = read(format_people([person]))
    assert again.is_unclear


HR = "Employee ID,Legal Name,Work Email,Location,Manager\n"
HR_ROWS = (
    f'{HR}0012,"Doe, Jane",jane.hr@x.example,Berlin,boss.hr@x.example\n'
    '0013,"Roe, Rick",rick.hr@x.example,,boss.hr@x.example\n'
)


def test_several_address_columns_are_asked_about_and_never_both_used() -> None:
    found = read_file(HR_ROWS)
    assert found.people == ()
    assert found.question is not None
    assert found.question.about is About.COLUMN
    assert [label for _value, label in found.question.choices] == [
        "Work Email (jane.hr@x.example)",
        "Manager (boss.hr@x.example)",
    ]
    people = [ListedPerson("jane.hr@x.example", "Doe, Jane"), ListedPerson("rick.hr@x.example", "Roe, Rick")]
    for answer in (found.question.choices[0][0], "3", "work email"):
        assert list(read_file(HR_ROWS, column=answer).people) == people
    for answer in ("4:Work Email", "9", "nonsense"):
        assert read_file(HR_ROWS, column=answer).question == found.question


def test_an_answer_about_one_file_is_none_about_the_next() -> None:
    found = read_file(HR_ROWS)
    assert found.question is not None
    other = HR_ROWS.replace("Work Email", "Private Email")
    assert read_file(other, column=found.question.choices[0][0]).question is not None


def test_a_pasted_table_is_asked_about_too() -> None:
    pasted = HR_ROWS.replace('"Doe, Jane"', "Jane Doe").replace('"Roe, Rick"', "Rick Roe").replace(",", "\t")
    assert read_people(pasted).question is not None
    people = read_people(pasted, column="3").people
    assert [person.email for person in people] == ["jane.hr@x.example", "rick.hr@x.example"]


def test_without_headings_columns_are_asked_about_as_well() -> None:
    text = "Jane Doe,jane@x.example,boss@x.example\nRick Roe,rick@x.example,boss@x.example\n"
    for found in (read_file(text), read_people(text), read_people(text.replace(",", "\t"))):
        assert found.question is not None
        assert len(found.question.choices) == 2
    assert list(read_file(text, column="2").people) == [JANE, RICK]
    assert list(read_people(text, column="2").people) == [JANE, RICK]


def test_addresses_side_by_side_in_a_file_are_asked_about_and_may_all_be_people() -> None:
    text = "jane@x.example,boss@x.example\nrick@x.example,chef@x.example\n"
    found = read_file(text)
    assert found.question is not None
    assert [value for value, _label in found.question.choices] == ["1:", "2:", "all"]
    assert len(read_file(text, column="all").people) == 4
    assert len(read_people(text).people) == 4
    assert [person.email for person in read_file(text, column="1").people] == ["jane@x.example", "rick@x.example"]


GOOGLE = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Organization Name,Organization Title,Labels,"
    "E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value\n"
    "Jane,,Doe,,Acme,,* myContacts,* Work,jane@x.example,Mobile,+1 555 0100\n"
)
OLD_GOOGLE = (
    "Name,Given Name,Family Name,Group Membership,E-mail 1 - Type,E-mail 1 - Value,Organization 1 - Name\n"
    "Jane Doe,Jane,Doe,* myContacts,* Work,jane@x.example,Acme\n"
)
OUTLOOK = (
    '"Title","First Name","Middle Name","Last Name","Suffix","Company","Department","E-mail Address","E-mail Type",'
    '"Manager\'s Name"\n"Ms.","Jane","","Doe","","Acme","","jane@x.example","SMTP","Big Boss"\n'
)
TABLES = {
    "google": GOOGLE,
    "old google": OLD_GOOGLE,
    "outlook": OUTLOOK,
    "workday": "Worker,Employee ID,Email - Primary Work,Organization\nJane Doe,21,jane@x.example,Acme (Boss)\n",
    "workday parts": "Legal Name - First Name,Legal Name - Last Name,Work Email\nJane,Doe,jane@x.example\n",
    "sap": "STATUS,USERID,USERNAME,FIRSTNAME,LASTNAME,MI,EMAIL,MANAGER,HR\nactive,7,jd,Jane,Doe,,jane@x.example,6,5\n",
    "bamboohr": 'Employee #,"Last name, First name",First Name,Last Name,Work Email,Reporting to\n'
    '7,"Doe, Jane",Jane,Doe,jane@x.example,Big Boss\n',
    "azure": "userPrincipalName,displayName,surname,givenName,department\njane@x.example,Jane Doe,Doe,Jane,Acme\n",
    "moodle": "username,firstname,lastname,email\njdoe,Jane,Doe,jane@x.example\n",
    "german": "Nachname;Vorname;E-Mail-Adresse;Abteilung\nDoe;Jane;jane@x.example;Acme\n",
    "german short": "Name;Vorname;E-Mail\nDoe;Jane;jane@x.example\n",
    "french": "Nom;Prénom;Courriel\nDoe;Jane;jane@x.example\n",
    "spanish": "Nombre;Apellidos;Correo electrónico\nJane;Doe;jane@x.example\n",
    "italian": "Nome,Cognome,Indirizzo e-mail\nJane,Doe,jane@x.example\n",
    "dutch": "Voornaam,Achternaam,E-mailadres\nJane,Doe,jane@x.example\n",
    "polish": "Imię,Nazwisko,Adres e-mail\nJane,Doe,jane@x.example\n",
    "swedish": "Förnamn,Efternamn,E-post\nJane,Doe,jane@x.example\n",
    "turkish": "Ad,Soyadı,E-posta\nJane,Doe,jane@x.example\n",
    "japanese": "氏名,メールアドレス\nJane Doe,jane@x.example\n",
    "chinese": "姓名,电子邮箱\nJane Doe,jane@x.example\n",
    "russian": "Фамилия;Имя;Электронная почта\nDoe;Jane;jane@x.example\n",
    "title above": "Participants of 2026,,\n\nFull name,Town,Mail\nJane Doe,Berlin,jane@x.example\n",
    "unknown mail heading": "Full name,Where to write\nJane Doe,jane@x.example\n",
    "separator behind the address": "Name;E-mail\nJane Doe;jane@x.example;;\n",
    "old mac": "Name,E-mail\rJane Doe,jane@x.example\r",
    "personio": "ID;Vorname;Nachname;E-Mail (geschäftlich);Vorgesetzte\n1;Jane;Doe;jane@x.example;Big Boss\n",
    "french hr": "Matricule;Nom d’usage;Nom de naissance;Prénom;Adresse e-mail professionnelle\n"
    "1;Doe;Roe;Jane;jane@x.example\n",
    "spanish hr": "Código;Nombre;Apellidos;Correo electrónico corporativo;Jefe\n1;Jane;Doe;jane@x.example;Boss\n",
    "japanese hr": "社員番号,氏名,フリガナ,会社メールアドレス\n1,Jane Doe,ジェーン,jane@x.example\n",
    "ldap": "cn,sn,givenName,mail,manager\nJane Doe,Doe,Jane,jane@x.example,cn=boss\n",
    "linkedin": 'Notes:\n"Some addresses are missing. Learn more https://www.linkedin.com/help"\n\n'
    "First Name,Last Name,URL,Email Address,Company,Position\nJane,Doe,https://x.example/in/jane,jane@x.example,Acme,CEO\n",
    "outlook’s display name": "Vorname;Nachname;E-Mail-Adresse;E-Mail: Angezeigter Name\n"
    "Jane;Doe;jane@x.example;Jane Doe (jane@x.example)\n",
    "contact of a company": "Company,Company Name,Contact Name,Email\nA,Acme,Jane Doe,jane@x.example\n",
    "bars": "Name|Email\nJane Doe|jane@x.example\n",
    "lines in quotes": '"Jane Doe,jane@x.example"\n',
    "okta": "user.id,user.login,user.firstName,user.lastName,user.email\n7,jane@x.example,Jane,Doe,jane@x.example\n",
    "french register": "Civilité;Nom d’usage;Prénom usuel;Adresse électronique\nMme;Doe;Jane;jane@x.example\n",
    "arabic": "الاسم الأول,اسم العائلة,البريد الإلكتروني\nJane,Doe,jane@x.example\n",
    "arabic short": "الاسم,البريد الإلكتروني\nJane Doe,jane@x.example\n",
    "hebrew": "שם פרטי,שם משפחה,דואר אלקטרוני\nJane,Doe,jane@x.example\n",
    "persian": "نام,نام خانوادگی,ایمیل\nJane,Doe,jane@x.example\n",
    "thai": "ชื่อ,นามสกุล,อีเมล\nJane,Doe,jane@x.example\n",
    "hindi": "नाम,ईमेल\nJane Doe,jane@x.example\n",
    "serbian": "Име;Презиме;Имејл\nJane;Doe;jane@x.example\n",
    "an address under a name’s heading": "Participant\nJane Doe <jane@x.example>\n",
    "the address in the name too": "Display name,Mail\nJane Doe (jane@x.example),jane@x.example\n",
    "links of a document": "Name,Email\nJane Doe,[jane@x.example](mailto:jane@x.example)\n",
    "another address in a note": "Name,E-mail,Notes\nJane Doe,jane@x.example,please copy boss@x.example on all\n",
}


@pytest.mark.parametrize(
    "heading",
    [
        "Jméno;Příjmení;E-mail", "Meno;Priezvisko;E-mail", "Ime;Prezime;E-mail", "Ime;Priimek;E-pošta",
        "Prenume;Nume;E-mail", "Keresztnév;Vezetéknév;E-mail", "Utónév;Családi név;E-mail", "Nama;x;E-mail",
        "Όνομα;Επώνυμο;E-mail", "Ім’я;Прізвище;Пошта", "Tên;Họ;Email", "Vārds;Uzvārds;E-pasts",
        "Vardas;Pavardė;El. paštas", "Eesnimi;Perekonnanimi;E-post", "Име;Фамилия;Имейл",
    ],
)  # fmt: skip
def test_names_under_headings_of_more_languages(heading: str) -> None:
    last = "" if ";x;" in heading else " Doe"
    assert read(f"{heading}\nJane;Doe;jane@x.example") == [ListedPerson("jane@x.example", f"Jane{last}")]


@pytest.mark.parametrize(
    "heading", ["Jméno a příjmení", "Meno a priezvisko", "Ime i prezime", "Nume complet", "Teljes név", "Név",
                "Ονοματεπώνυμο", "ПІБ", "Họ và tên", "Nama lengkap", "Ime in priimek", "Vardas, pavardė"],
)  # fmt: skip
def test_whole_names_under_headings_of_more_languages(heading: str) -> None:
    assert read(f"{heading};E-mail\nJane Doe;jane@x.example") == [JANE]


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_other_programs(table: str) -> None:
    assert list(read_file(TABLES[table]).people) == [JANE]
    assert list(read_people(TABLES[table]).people) == [JANE]
    assert read_people_file(TABLES[table].encode("utf-16")).people == (JANE,)
    assert read_people_file(TABLES[table].encode("utf-8-sig")).people == (JANE,)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("Voornaam;Tussenvoegsel;Achternaam;Zakelijk e-mailadres\nJan;de;Vries;a@x.example", "Jan de Vries"),
        ("Nombre;Primer apellido;Segundo apellido;Correo\nJosé;Muñoz;Peña;a@x.example", "José Muñoz Peña"),
        ("社員番号,姓,名,メールアドレス\n1,山田,太郎,a@x.example", "山田 太郎"),
        ("First name,Last name,Email\nTaro,Yamada,a@x.example", "Taro Yamada"),
    ],
)
def test_the_parts_of_a_name_are_in_their_order(table: str, name: str) -> None:
    assert [person.name for person in read_file(table).people] == [name]


def test_a_column_that_repeats_the_addresses_of_another_needs_no_question() -> None:
    same = "Name,UPN,Mail\nJane Doe,jane@x.example,jane@x.example\nRick Roe,rick@x.example,rick@x.example\n"
    assert list(read_file(same).people) == [JANE, RICK]
    other = same.replace("Roe,rick@x.example,rick", "Roe,rick@x.example,richard")
    assert read_file(other).question is not None


def test_excels_utf_16_without_a_mark_and_its_separator_line() -> None:
    assert read_people_file("Name\tE-mail\r\nJane Doe\tjane@x.example\r\n".encode("utf-16-le")).people == (JANE,)
    assert read_people_file("sep=;\r\nName;E-mail\r\nJane Doe;jane@x.example\r\n".encode("utf-16")).people == (JANE,)


@pytest.mark.parametrize("heading", ["E-Mail-Adresse", "Courriel", "Correo", "Whom to write to", "E-mail:"])
def test_a_heading_is_no_person(heading: str) -> None:
    text = f"{heading}\njane@x.example;\n"
    assert list(read_file(text).people) == [NAMELESS]
    found = read_people(text)
    assert list(found.people) == [NAMELESS]
    assert found.heading == ("Whom to write to" if heading.startswith("Whom") else "")


def test_a_first_line_that_was_taken_for_a_heading_is_told() -> None:
    assert read_people("Rick Roe\njane@x.example").heading == "Rick Roe"
    assert read_file("Who,Where\nJane,jane@x.example\n").heading == "Who, Where"


def test_an_address_under_a_heading_of_names_is_no_name() -> None:
    assert read_file("Teilnehmer\njane@x.example\nrick@x.example\n").people == (
        NAMELESS,
        ListedPerson("rick@x.example"),
    )
    assert list(read_file("Student,E-mail\njane@x.example,jane@x.example\n").people) == [NAMELESS]


def test_a_row_without_an_address_and_one_with_two_are_shown() -> None:
    text = "Name,E-mail\nJane Doe,jane@x.example\nSam,\nRick,rick@x.example; r2@x.example\n"
    assert list(read_file(text).people) == [
        JANE,
        ListedPerson("", "Sam"),
        ListedPerson("Rick, rick@x.example; r2@x.example", is_unclear=True),
    ]


def make_workbook(*rows: tuple[object, ...]) -> bytes:
    book, file = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def test_a_workbook_is_read_like_a_table() -> None:
    rows = [("No.", "Full name", "E-mail"), (1, "Jane Doe", "jane@x.example"), (), (2, "Rick Roe", "rick@x.example")]
    assert list(read_people_file(make_workbook(*rows)).people) == [JANE, RICK]
    two = make_workbook(("Name", "E-mail", "Boss"), ("Jane Doe", "jane@x.example", "boss@x.example"))
    assert read_people_file(two).question is not None


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        b"PK\x05\x06" + b"\0" * 18,
        b"\xd0\xcf\x11\xe0old",
        b"BEGIN:VCARD\nEMAIL:a@x.example",
        b"<html><body><table><tr><td>jane@x.example</td></tr></table></body></html>",
        b"\xef\xbb\xbf\r\n<table border=1><tr><th>Name</th><th>Email</th></tr></table>",
        b'<?xml version="1.0"?><people><mail>jane@x.example</mail></people>',
        b'[{"name": "Jane Doe", "email": "jane@x.example"}]',
        b'{"people": [{"email": "jane@x.example"}]}',
        b"%PDF-1.4 jane@x.example",
        b"{\\rtf1\\ansi jane@x.example\\par}",
        make_workbook(("Name", "Town")),
    ],
)
def test_files_of_other_kinds_are_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(FileUnreadable, match=r"file|workbook"):
        read_people_file(data)


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", ["Zoë Müller", "Jürgen Groß"]),
        ("cp1250", ["Łukasz Wiśniewski", "Żaneta Gąska"]),
        ("cp1250", ["Jiří Dvořák", "Tomáš Ševčík"]),
        ("cp1251", ["Нина Петрова", "Иван Сидоров"]),
        ("cp1253", ["Γιώργος Παπαδόπουλος"]),
        ("cp1256", ["محمد علي"]),
        ("cp932", ["田中 さくら", "鈴木 タロウ"]),
        ("euc_kr", ["김민준"]),
        ("gb2312", ["李小龙"]),
        ("gb18030", ["王小明", "李娜"]),
        ("big5", ["王小明", "陳美玲"]),
        ("cp949", ["김철수", "뷁똠"]),
        ("euc_jp", ["山田太郎", "佐藤 花子"]),
        ("cp1255", ["דוד כהן", "שרה לוי"]),
        ("cp1257", ["Jonas Žukauskas", "Rūta Šimkutė"]),
        ("cp874", ["สมชาย ใจดี", "สมหญิง"]),
        ("cp866", ["Иван Петров", "Ольга Смирнова"]),
        ("cp850", ["Jürgen Groß", "Björn Häßler"]),
        ("iso8859_2", ["Łukasz Świątek", "Małgorzata Źródło"]),
        ("cp1252", ["José Peña"]),
        ("mac_roman", ["Zoë Müller", "François Lefèvre"]),
        ("cp1252", ["Hélène Lefèvre", "Åse Sørensen", "Begoña Núñez"]),
    ],
)
def test_letters_of_older_programs_are_right_or_asked_about(encoding: str, names: list[str]) -> None:
    rows = [f"{name};{place}@x.example" for place, name in enumerate(names)]
    data = "\r\n".join(["Name;E-mail", *rows]).encode(encoding)
    found = read_people_file(data)
    if found.question is not None:
        assert found.question.about is About.SPELLING
        assert any(names[0].split()[-1] in sample for _value, sample in found.question.choices)
        found = read_people_file(data, encoding=encoding)
    assert [person.name for person in found.people] == names


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1252", "Jürgen Groß"),
        ("cp1250", "Łukasz Wiśniewski"),
        ("cp1251", "Нина Петрова"),
        ("cp932", "山田太郎"),
        ("cp932", "ヤマダ タロウ"),
        ("cp874", "สมชาย ใจดี"),
        ("iso8859_2", "Jiří Šťastný"),
    ],
)
def test_letters_that_can_be_read_in_one_way_need_no_question(encoding: str, name: str) -> None:
    assert read_people_file(f"Name;E-mail\n{name};a@x.example".encode(encoding)).question is None


def test_a_known_heading_tells_how_the_letters_are_read() -> None:
    data = "工号,姓名,电子邮件\n1,王小明,w@x.example\n".encode("gb2312")
    assert [person.name for person in read_people_file(data).people] == ["王小明"]
    assert read_people_file("Name,E-mail\n王小明,w@x.example\n".encode("gb2312")).question is not None


def test_every_encoding_that_can_be_named_is_known_to_python() -> None:
    assert all("a".encode(name) for name in ENCODINGS)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    ["a", "<", ">", "a ", " @", "<@", "a-", "a.", '"', "é", ";,", "Name: ", "E-mail: a@", "|", ": ", "[", "[a](mailto:",
     "a@x<mailto:"],
)  # fmt: skip
def test_a_long_line_is_read_in_time(piece: str) -> None:
    line = piece * (200_000 // len(piece))
    read_people(line)
    with suppress(FileUnreadable):
        read_people_file(f"E-mail\n{line}\n".encode())
    clean_sent_name(line)
    has_address(line)


MAIL_LINES = '"Okafor, Amara" <amara@x.example>\nMoreau, Lea <lea@x.example>\nDoe, Jane, jane@x.example\n'


@pytest.mark.parametrize("heading", ["Name, E-mail", "Name,E-mail,Notes"])
def test_a_heading_above_lines_of_a_mail_program_makes_them_no_table(heading: str) -> None:
    expected = (
        ListedPerson("amara@x.example", "Okafor, Amara"),
        ListedPerson("lea@x.example", "Moreau, Lea"),
        ListedPerson("jane@x.example", "Doe Jane"),
    )
    assert read_people(f"{heading}\n{MAIL_LINES}") == PeopleList(expected)
    assert read_people_file(f"{heading}\n{MAIL_LINES}".encode()) == PeopleList(expected)


def test_columns_for_two_kinds_of_people_are_asked_about_even_with_brackets() -> None:
    found = read_people("Work Email,Private Email\nJane <jane@x.example>,\n,Rick <rick@y.example>\n")
    assert found.question is not None
    found = read_people("Name,Contact\nJane <jane@x.example>,Boss <boss@x.example>\n")
    assert found.question is not None
