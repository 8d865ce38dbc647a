from django.db import migrations

# An issued invoice and its entries never change, whoever writes. Of the invoice itself only what follows from entries
# (its state and two sums), its end (void), and the switch for reminders may change.
GUARD = """
CREATE FUNCTION ecommerce_invoice_is_frozen(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', what USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_stays_as_issued';
END $$;

CREATE FUNCTION ecommerce_invoice_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['state', 'paid_total', 'credited_total', 'reminders_paused', 'voided_at', 'void_reason',
                         'updated_at'];
    sums record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            PERFORM ecommerce_invoice_is_frozen('an invoice begins as a draft');
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'draft' THEN
            PERFORM ecommerce_invoice_is_frozen(format('invoice %s was issued and stays', OLD.number));
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.state = 'draft' THEN
        IF NEW.state IN ('draft', 'issued') OR (NEW.state = 'paid' AND NEW.total = 0) THEN
            IF NEW.state <> 'draft' THEN
                SELECT count(*) AS lines, coalesce(sum(net), 0) AS net, coalesce(sum(tax), 0) AS tax INTO sums
                FROM ecommerce_invoiceline WHERE invoice_id = NEW.id;
                IF sums.lines = 0 OR sums.net <> NEW.net_total OR sums.tax <> NEW.tax_total THEN
                    PERFORM ecommerce_invoice_is_frozen('the lines of the invoice don''t add up to its total');
                END IF;
                IF NEW.sequence > 1 AND NOT EXISTS (
                    SELECT FROM ecommerce_invoice WHERE series = NEW.series AND year = NEW.year
                    AND sequence = NEW.sequence - 1
                ) THEN
                    PERFORM ecommerce_invoice_is_frozen('invoice numbers have no gaps');
                END IF;
            END IF;
            RETURN NEW;
        END IF;
        PERFORM ecommerce_invoice_is_frozen('a draft can only be issued');
    END IF;
    IF NEW.state = 'draft' OR to_jsonb(NEW) - free IS DISTINCT FROM to_jsonb(OLD) - free THEN
        PERFORM ecommerce_invoice_is_frozen(format('invoice %s was issued and stays as it is', OLD.number));
    END IF;
    IF OLD.state = 'void' AND to_jsonb(NEW) - 'updated_at' IS DISTINCT FROM to_jsonb(OLD) - 'updated_at' THEN
        PERFORM ecommerce_invoice_is_frozen(format('invoice %s is void and stays as it is', OLD.number));
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_stays_as_issued BEFORE INSERT OR UPDATE OR DELETE ON ecommerce_invoice
FOR EACH ROW EXECUTE FUNCTION ecommerce_invoice_guard();

CREATE FUNCTION ecommerce_invoiceline_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_state text;
BEGIN
    -- The share lock waits for a transaction that is issuing the invoice at this moment.
    FOR its_state IN
        SELECT state FROM ecommerce_invoice
        WHERE id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.invoice_id END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.invoice_id END)
        FOR SHARE
    LOOP
        IF its_state <> 'draft' THEN
            PERFORM ecommerce_invoice_is_frozen('the lines of an issued invoice stay as they are');
        END IF;
    END LOOP;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_line_stays_as_issued BEFORE INSERT OR UPDATE OR DELETE ON ecommerce_invoiceline
FOR EACH ROW EXECUTE FUNCTION ecommerce_invoiceline_guard();

CREATE FUNCTION ecommerce_invoiceentry_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    invoice record;
    reversed record;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM ecommerce_invoice_is_frozen('the entries of an invoice are never changed');
    END IF;
    SELECT state, currency INTO invoice FROM ecommerce_invoice WHERE id = NEW.invoice_id FOR SHARE;
    IF invoice.state IN ('draft', 'void') THEN
        PERFORM ecommerce_invoice_is_frozen('only an issued invoice has entries');
    END IF;
    IF invoice.currency <> NEW.currency THEN
        PERFORM ecommerce_invoice_is_frozen('an entry has the currency of its invoice');
    END IF;
    IF NEW.reverses_id IS NOT NULL THEN
        SELECT kind, amount, invoice_id INTO reversed FROM ecommerce_invoiceentry WHERE id = NEW.reverses_id;
        IF reversed.kind <> 'payment' OR reversed.amount <> NEW.amount OR reversed.invoice_id <> NEW.invoice_id THEN
            PERFORM ecommerce_invoice_is_frozen('a reversal takes back one payment of the same invoice');
        END IF;
    END IF;
    IF NEW.sequence > 1 AND NOT EXISTS (
        SELECT FROM ecommerce_invoiceentry WHERE series = NEW.series AND year = NEW.year AND sequence = NEW.sequence - 1
    ) THEN
        PERFORM ecommerce_invoice_is_frozen('credit note numbers have no gaps');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER invoice_entry_stays BEFORE INSERT OR UPDATE OR DELETE ON ecommerce_invoiceentry
FOR EACH ROW EXECUTE FUNCTION ecommerce_invoiceentry_guard();

CREATE FUNCTION ecommerce_creditnoteline_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM ecommerce_invoice_is_frozen('the lines of a credit note are never changed');
    END IF;
    IF NOT EXISTS (
        SELECT FROM ecommerce_invoiceentry AS entry JOIN ecommerce_invoiceline AS line ON line.invoice_id = entry.invoice_id
        WHERE entry.id = NEW.entry_id AND entry.kind = 'credit_note' AND line.id = NEW.line_id
    ) THEN
        PERFORM ecommerce_invoice_is_frozen('a credit note has lines of its own invoice');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER credit_note_line_stays BEFORE INSERT OR UPDATE OR DELETE ON ecommerce_creditnoteline
FOR EACH ROW EXECUTE FUNCTION ecommerce_creditnoteline_guard();

-- At the end of the transaction: the sums on the invoice are those of its entries, the amount of a credit note that of
-- its lines, and no line is credited for more seats or money than it has.
CREATE FUNCTION ecommerce_invoice_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged bigint;
    fits boolean;
BEGIN
    IF TG_TABLE_NAME = 'ecommerce_invoice' THEN
        judged := NEW.id;
    ELSIF TG_TABLE_NAME = 'ecommerce_creditnoteline' THEN
        SELECT invoice_id INTO judged FROM ecommerce_invoiceentry WHERE id = NEW.entry_id;
    ELSE
        judged := NEW.invoice_id;
    END IF;
    SELECT invoice.paid_total = coalesce(sum(CASE entry.kind WHEN 'payment' THEN entry.amount
                                             WHEN 'credit_note' THEN 0 ELSE -entry.amount END), 0)
       AND invoice.credited_total = coalesce(sum(entry.amount) FILTER (WHERE entry.kind = 'credit_note'), 0)
    INTO fits
    FROM ecommerce_invoice AS invoice LEFT JOIN ecommerce_invoiceentry AS entry ON entry.invoice_id = invoice.id
    WHERE invoice.id = judged GROUP BY invoice.id;
    IF fits IS FALSE OR EXISTS (
        SELECT FROM ecommerce_invoiceentry AS entry LEFT JOIN ecommerce_creditnoteline AS part ON part.entry_id = entry.id
        WHERE entry.invoice_id = judged AND entry.kind = 'credit_note' GROUP BY entry.id
        HAVING entry.amount <> coalesce(sum(part.net + part.tax), 0) OR entry.tax <> coalesce(sum(part.tax), 0)
    ) OR EXISTS (
        SELECT FROM ecommerce_invoiceline AS line JOIN ecommerce_creditnoteline AS part ON part.line_id = line.id
        WHERE line.invoice_id = judged GROUP BY line.id
        HAVING sum(part.seats) > line.seats OR sum(part.net) > line.net OR sum(part.tax) > line.tax
    ) THEN
        PERFORM ecommerce_invoice_is_frozen('the entries of the invoice don''t add up to its sums');
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER invoice_adds_up AFTER UPDATE OF paid_total, credited_total ON ecommerce_invoice
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ecommerce_invoice_adds_up();

CREATE CONSTRAINT TRIGGER invoice_entry_adds_up AFTER INSERT ON ecommerce_invoiceentry
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ecommerce_invoice_adds_up();

CREATE CONSTRAINT TRIGGER credit_note_line_adds_up AFTER INSERT ON ecommerce_creditnoteline
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ecommerce_invoice_adds_up();
"""

UNGUARD = """
DROP TRIGGER credit_note_line_adds_up ON ecommerce_creditnoteline;
DROP TRIGGER invoice_entry_adds_up ON ecommerce_invoiceentry;
DROP TRIGGER invoice_adds_up ON ecommerce_invoice;
DROP FUNCTION ecommerce_invoice_adds_up();
DROP TRIGGER credit_note_line_stays ON ecommerce_creditnoteline;
DROP FUNCTION ecommerce_creditnoteline_guard();
DROP TRIGGER invoice_entry_stays ON ecommerce_invoiceentry;
DROP FUNCTION ecommerce_invoiceentry_guard();
DROP TRIGGER invoice_line_stays_as_issued ON ecommerce_invoiceline;
DROP FUNCTION ecommerce_invoiceline_guard();
DROP TRIGGER invoice_stays_as_issued ON ecommerce_invoice;
DROP FUNCTION ecommerce_invoice_guard();
DROP FUNCTION ecommerce_invoice_is_frozen(text);
"""


class Migration(migrations.Migration):
    dependencies = [("ecommerce", "0031_invoices")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
