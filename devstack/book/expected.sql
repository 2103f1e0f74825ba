-- October 2026 of the demo book, by hand: usage × price, then each customer's own terms.

CREATE TABLE usage AS
SELECT customer, meter, provider, model, own_key, used_at, date_trunc('hour', used_at) AS hour, quantity,
       strftime(timezone(zone, used_at), '%Y-%m') AS month, timezone(zone, used_at) AS local_at
FROM usage_in;

CREATE TABLE listed AS
SELECT u.*, l.price AS list_price, l.since
FROM usage u
ASOF LEFT JOIN list_in l
    ON u.meter = l.meter AND u.provider = l.provider AND u.model = l.model AND timezone('UTC', u.used_at) >= l.since;

-- One unit's price: the customer's own, else the list with the customer's markup on language models.
CREATE TABLE priced AS
SELECT u.*,
       CASE WHEN u.own_key THEN 0
            WHEN o.price IS NOT NULL THEN o.price
            WHEN m.factor IS NOT NULL AND u.meter LIKE 'llm.%' THEN u.list_price * m.factor
            ELSE u.list_price END::DECIMAL(20, 14) AS price
FROM listed u
LEFT JOIN own_in o
    ON o.customer = u.customer AND o.meter = u.meter AND o.provider = u.provider AND o.model = u.model
LEFT JOIN own_in m ON m.customer = u.customer AND m.meter = 'llm.*';

-- A line: meter, provider, model, price version; rounded once.
CREATE TABLE lines AS
SELECT customer, meter, provider, model, since, sum(quantity) AS quantity, any_value(price) AS price,
       round(sum(quantity) * any_value(price), 2) AS amount, sum(quantity) * any_value(price) AS exact
FROM priced
WHERE month = '2026-10' AND meter NOT IN ('sms.segments', 'numbers')
GROUP BY customer, meter, provider, model, since, own_key;

CREATE TABLE totals (customer VARCHAR, total DECIMAL(18, 2));

-- acme: 500 platform fee for November; 440 a year for models, then a quarter more; the rest as used.
CREATE TABLE acme AS
SELECT *, least(amount, greatest(0, amount - (running - 440)))::DECIMAL(28, 14) AS covered
FROM (
    SELECT *, sum(amount) OVER (ORDER BY hour, meter, model, provider)::DECIMAL(28, 14) AS running
    FROM (
        SELECT month, hour, meter, provider, model, price, (sum(quantity) * price)::DECIMAL(28, 14) AS amount
        FROM priced WHERE customer = 'acme' AND meter LIKE 'llm.%'
        GROUP BY month, hour, meter, provider, model, price
    )
);

INSERT INTO totals
SELECT 'acme', 500
    + (SELECT sum(amount) FROM lines WHERE customer = 'acme' AND meter NOT LIKE 'llm.%')
    + (SELECT coalesce(sum(over), 0) FROM (
        SELECT round(sum(amount - covered) * 1.25, 2) AS over FROM acme
        WHERE month = '2026-10' GROUP BY meter, provider, model));

-- bolt: minutes 1,000 at 0.05, the next 1,500 at 0.045, then 0.04; what is short of 400 is billed.
CREATE TABLE bolt AS
SELECT least(m, 1000) * 0.05 AS first, greatest(0, least(m, 2500) - 1000) * 0.045 AS second,
       greatest(0, m - 2500) * 0.04 AS third
FROM (SELECT sum(quantity) AS m FROM priced WHERE customer = 'bolt' AND month = '2026-10' AND meter = 'call.minutes');

INSERT INTO totals
SELECT 'bolt',
    (SELECT round(first, 2) + round(second, 2) + round(third, 2) FROM bolt)
    + (SELECT sum(amount) FROM lines WHERE customer = 'bolt' AND meter <> 'call.minutes')
    + greatest(0, round(400 - (SELECT first + second + third FROM bolt)
        - (SELECT sum(exact) FROM lines WHERE customer = 'bolt' AND meter <> 'call.minutes'), 2));

-- cirrus, fjord: every line at its price.
INSERT INTO totals
SELECT customer, sum(amount) FROM lines WHERE customer IN ('cirrus', 'fjord') GROUP BY customer;

-- delta: 500 minutes included, 150 support for October.
INSERT INTO totals
SELECT 'delta', 150
    + (SELECT round((quantity - 500) * 0.06, 2) FROM lines WHERE customer = 'delta' AND meter = 'call.minutes')
    + (SELECT sum(amount) FROM lines WHERE customer = 'delta' AND meter <> 'call.minutes');

-- ember: all segments at 0.008 past 1,000; 23 numbers are three packages of ten at 5.
INSERT INTO totals
SELECT 'ember',
    (SELECT sum(amount) FROM lines WHERE customer = 'ember')
    + (SELECT round(sum(quantity) * (CASE WHEN sum(quantity) > 1000 THEN 0.008 ELSE 0.01 END), 2)
       FROM priced WHERE customer = 'ember' AND month = '2026-10' AND meter = 'sms.segments')
    + 3 * 5;

-- gale: a promotional 200 pays what is used before the 16th. Of each line it pays the cents that are that part's:
-- the line's cents split by the exact amounts before and after, whole cents first, the odd one to the larger rest.
CREATE TABLE gale AS
SELECT amount * 100 AS cents, amount * 100 * early / nullif(exact, 0) AS share
FROM (
    SELECT round(sum(quantity * price), 2) AS amount, sum(quantity * price)::DOUBLE AS exact,
           coalesce(sum(quantity * price) FILTER (local_at < '2026-10-16'), 0)::DOUBLE AS early
    FROM priced WHERE customer = 'gale' AND month = '2026-10'
    GROUP BY meter, provider, model, since
);

INSERT INTO totals
SELECT 'gale', (sum(cents) - least(20000, sum(CASE
        WHEN floor(share) + floor(cents - share) = cents THEN floor(share)
        WHEN share - floor(share) >= (cents - share) - floor(cents - share) THEN floor(share) + 1
        ELSE floor(share) END))) / 100
FROM gale;

-- halo: 360 buys 400 and 40 more; they pay the month's usage.
INSERT INTO totals
SELECT 'halo', 360 + greatest(0, sum(amount) - 440) FROM lines WHERE customer = 'halo';

-- iris: past 4,200 in the year everything is a tenth cheaper.
CREATE TABLE iris AS
SELECT *, least(amount, greatest(0, amount - (running - 4200)))::DECIMAL(28, 14) AS counted
FROM (
    SELECT *, sum(amount) OVER (ORDER BY hour, meter, model, provider)::DECIMAL(28, 14) AS running
    FROM (
        SELECT month, hour, meter, provider, model, price, (sum(quantity) * price)::DECIMAL(28, 14) AS amount
        FROM priced WHERE customer = 'iris' GROUP BY month, hour, meter, provider, model, price
    )
);

INSERT INTO totals
SELECT 'iris', sum(base + over) FROM (
    SELECT round(sum(counted), 2) AS base, round(sum(amount - counted) * 0.9, 2) AS over
    FROM iris WHERE month = '2026-10' GROUP BY meter, provider, model);

-- juno: 0.05 a minute, 0.043 from 14 October 10:17 in Kolkata.
INSERT INTO totals
SELECT 'juno',
    (SELECT sum(amount) FROM lines WHERE customer = 'juno' AND meter <> 'call.minutes')
    + (SELECT round(sum(quantity) FILTER (local_at < '2026-10-14 10:17:00') * 0.05, 2)
            + round(sum(quantity) FILTER (local_at >= '2026-10-14 10:17:00') * 0.043, 2)
       FROM priced WHERE customer = 'juno' AND month = '2026-10' AND meter = 'call.minutes');

-- kite: 120 for October and 120 for November in advance; minutes past 120 at 0.055.
INSERT INTO totals
SELECT 'kite', 240
    + (SELECT sum(amount) FROM lines WHERE customer = 'kite' AND meter <> 'call.minutes')
    + (SELECT round(greatest(0, quantity - 120 / 0.05) * 0.055, 2)
       FROM lines WHERE customer = 'kite' AND meter = 'call.minutes');

-- lyra: 250 platform fee for November; 2,350 for the year pays everything; minutes at 0.05, past 500 a month at 0.04.
CREATE TABLE lyra_minutes AS
SELECT *, greatest(0, least(quantity, 500 - (seen - quantity)))::DECIMAL(18, 2) AS low
FROM (
    SELECT *, sum(quantity) OVER (PARTITION BY month ORDER BY hour) AS seen
    FROM (SELECT month, hour, sum(quantity) AS quantity FROM priced
          WHERE customer = 'lyra' AND meter = 'call.minutes' GROUP BY month, hour)
);

CREATE TABLE lyra AS
SELECT *, least(amount, greatest(0, amount - (running - 2350)))::DECIMAL(28, 14) AS covered
FROM (
    SELECT *, sum(amount) OVER (ORDER BY hour, meter, model, provider, tier)::DECIMAL(28, 14) AS running
    FROM (
        SELECT month, hour, meter, provider, model, 0 AS tier, (sum(quantity) * price)::DECIMAL(28, 14) AS amount
        FROM priced WHERE customer = 'lyra' AND meter <> 'call.minutes' AND NOT own_key
        GROUP BY month, hour, meter, provider, model, price
        UNION ALL
        SELECT month, hour, 'call.minutes', '', '', 1, (low * 0.05)::DECIMAL(28, 14) FROM lyra_minutes
        UNION ALL
        SELECT month, hour, 'call.minutes', '', '', 2, ((quantity - low) * 0.04)::DECIMAL(28, 14) FROM lyra_minutes
    )
);

INSERT INTO totals
SELECT 'lyra', 250 + sum(due) FROM (
    SELECT round(sum(amount - covered), 2) AS due FROM lyra
    WHERE month = '2026-10' GROUP BY meter, provider, model, tier);
