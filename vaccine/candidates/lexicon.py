"""What the words of column and table names are worth to a candidate key, in log-odds; fitted as weights.py says.

Only words that several applications use are here. Plurals are cut off; of a column's name the last word and
the last two words count, of a table's name the last one.
"""

from __future__ import annotations

_COLUMNS = {
    "alone": """
        access token -0.7, account id -0.25, api key -0.2, app id -1.25, author id -0.15, avatar url -0.25,
        by -0.7, by id -0.2, category 0.25, checksum -0.3, client secret -0.25, code 0.4, confirmation token 0.45,
        created by -0.35, creator id -0.4, date 0.2, digest 0.35, domain 0.4, feature key -0.2, file name -0.25,
        filename -0.6, group id -0.3, id 1.15, id token -0.4, idempotency key 0.5, in ip -0.25, invitation token 1.2,
        ip address 0.3, issuer 0.3, key 0.35, label -0.65, login 0.2, name 0.35, namespace 0.4, nickname -0.3, nonce
        -0.25, number 0.25, object id -0.3, owner id -0.5, password hash -0.3, password token 0.75, path 0.3, pattern
        0.3, phone 0.4, phone number -0.2, prefix 0.3, private key -0.25, provider id -0.45, public key -0.3, reason
        -0.3, record id -0.4, redirect uri -0.55, refresh token -0.3, request id -0.3, secret -0.3, service name -0.4,
        session id -0.55, session token 0.25, sha -0.2, short name 0.75, signature -0.4, slug 0.65, source -0.55,
        source id -0.3, subscription id 0.4, tag 0.4, title -0.4, token 1.3, token hash 0.7, transaction id 0.75, type
        -0.35, uid 1.15, unconfirmed email -0.5, unlock token 0.45, uri -0.65, user id -0.55, username -0.4, uuid
        2.05, zip code -0.25
    """,
    "items": """
        access token -0.3, account id 0.75, address 0.3, app id 0.9, by -0.5, category 0.3, class -0.3, client id
        -0.45, code -0.7, content type -0.3, context 0.2, country code 0.25, created by -0.4, creator id -0.4,
        currency -0.3, digest 0.35, domain 0.7, email -0.55, event type 0.2, feature key -0.35, filename -0.6, group
        id 0.45, hash -0.3, host 0.25, hostname -0.2, id 0.55, idempotency key 0.25, identifier 0.75, job name 0.2,
        key 0.45, label -0.55, method -0.3, model 0.6, month 0.35, name 0.25, namespace 1.2, number 0.35, origin 0.3,
        path 0.35, period -0.25, platform 0.65, prefix 0.55, priority -0.45, provider 1.15, provider id 0.4, public
        key -0.3, reason -0.6, record id 0.35, record type 0.3, reference 0.5, region 0.45, secret -0.4, slug -0.4,
        source -0.25, state -0.4, status -0.7, target 0.65, title -0.45, token 0.2, type -0.4, uid 0.4, url -0.45,
        user id -0.25, year 0.3
    """,
    "mixed": """
        action -0.25, active 0.55, algorithm 0.35, app id 0.55, by -0.5, by id -0.25, category 0.3, channel 0.3,
        client id 0.35, code -0.5, color -0.25, content type -0.25, context 0.6, device type 0.2, digest 0.85, email
        -0.35, email address 0.25, enabled -0.2, entity id 0.6, entity type 0.45, external id 1.0, field 0.2, file
        -0.25, file name -0.4, fingerprint 0.3, group id 0.2, group name 0.45, hash -0.35, idempotency key 0.3, ids
        -0.45, index 0.75, ip address -0.25, is primary 0.45, item type -0.3, kind -0.25, language -0.2, level -0.45,
        line -0.25, locale 0.35, login 0.45, message id -0.2, method id 0.2, month 0.55, name 0.7, namespace 0.8,
        number 0.55, order 0.25, origin 0.75, owner type 0.45, path 0.85, pending -0.45, period -0.25, primary 0.65,
        priority -0.2, provider 0.8, provider id -0.25, public key -0.5, rank 0.5, reason -0.75, record id 0.75,
        record type 1.45, redirect uri -0.35, reference 0.9, request id -0.45, resource type 0.45, role -0.65, secret
        -0.25, sequence -0.25, service 0.45, sha 0.4, signature 0.6, slug 0.65, source -0.4, state -0.4, status -1.1,
        title -0.75, token -0.7, token hash -0.25, uid 0.15, uri -0.4, url -0.5, user id 0.25, user type -0.4, uuid
        -0.45, version 0.4, weight -0.3, year 1.0
    """,
    "ref alone": """
        blob id -0.75, category id -0.25, client id -0.4, config id 0.3, creator id -0.25, credential id 0.35,
        dashboard id 0.25, device id 0.25, document id 0.5, environment id -0.25, event id 0.7, group id -0.4, id 1.4,
        image id -0.3, job id 1.15, key id 0.35, plan id 0.8, provider id 0.3, recipient id 0.25, record id -0.2,
        report id 1.65, resource id -0.35, run id 0.65, session id 0.6, tag id -0.2, task id 0.7, token id 0.4,
        transaction id 0.7, type id -0.6, user id -0.25, version id 0.75
    """,
    "refs": """
        account id -0.5, application id -0.2, by -0.5, by id -0.3, category id 0.25, channel id 0.2, contact id -0.45,
        created by -0.3, device id 0.25, document id 0.25, entry id 0.55, environment id -0.35, event id 0.4, id 0.6,
        job id -0.4, link id -0.65, organization id -0.3, parent id 0.3, payment id -0.25, permission id 0.3, plan id
        0.45, product id 0.2, profile id -0.2, provider id -0.25, report id -0.35, repository id 0.45, run id 0.3,
        service id 0.3, session id -0.2, task id -0.35, team id 0.35, template id -0.4, type id -0.45, user id 0.45,
        uuid 0.55
    """,
}
_TABLES = {
    "alone": """
        action -0.35, address 0.5, area 0.4, assignment -0.5, attachment -0.35, batch -0.25, blob 0.4, change -0.25,
        check -0.25, claim -0.25, client -0.3, collection -0.25, config 0.5, configuration -0.55, credential 0.25,
        detail -0.4, domain 0.8, error -0.35, execution -0.3, feature 0.3, filter -0.25, gate -0.6, grant 0.65, group
        -0.45, history -1.65, identity -0.5, image -0.25, info 0.6, invitation 0.25, invoice 0.35, item -0.8, job
        -0.25, key 0.95, location -0.25, lock -0.2, log -0.55, map -0.25, mapping -0.2, migration 0.95, name -0.45,
        notification -0.75, organization 0.5, partner -0.95, permission 0.55, post 0.5, price 0.35, product -0.2,
        profile -0.3, project 0.35, provider 0.95, query -0.2, queue 0.1, record -0.75, result -0.2, review -0.35,
        role -0.55, rule 0.3, schedule -0.65, service 0.45, session 0.25, setting 0.5, stat -0.2, status 0.25,
        subscription 0.85, tag 0.25, task 0.2, team 0.45, text -0.25, tier 0.4, token 0.5, topic -0.3, type -0.3, user
        0.95, verification -0.2, version -0.3, view -0.25
    """,
    "items": """
        account 0.5, address 0.25, application -0.3, asset 0.3, attachment -0.45, blob -0.4, change 0.25,
        configuration 0.6, credential -0.35, document 0.25, event -0.3, field -0.25, file -0.2, gate -0.3, history
        -0.55, identity 0.55, job -0.25, key -0.25, link -0.5, log -0.25, metadata 0.25, method 0.2, partner -0.35,
        payment 0.2, product -0.25, profile 0.55, project 0.45, query 0.65, queue 0.35, repository 0.25, request -0.3,
        role 0.4, setting 0.2, source -0.3, state 0.45, subscription 0.3, text 0.9, token 0.65, transaction 0.25, type
        -0.25, user -0.35, version -0.5, worker 0.2
    """,
    "mixed": """
        account -0.35, action -0.3, activity 0.25, alert 0.35, application -0.45, attachment -0.35, change -0.35,
        client -0.35, code -0.25, collection 0.25, comment -0.5, config 0.5, credential -0.35, data 0.25, dependency
        -0.25, device -0.4, document -0.75, email 0.25, entity -0.35, feature 0.45, field -0.3, file -0.5, filter
        0.75, grant -0.35, history -0.3, invitation 0.45, item -0.4, job 0.45, label 0.85, link -0.35, log -0.45,
        mapping 0.45, message -0.4, metadata 0.45, note -0.25, notification -0.3, override 0.5, permission 0.3, post
        0.35, preference 0.25, price 0.2, product -0.25, provider 0.25, record 0.3, resource 0.75, review 0.25, role
        0.5, rule 0.25, run 0.2, search -0.3, service 0.2, setting 0.6, stat 1.0, status -0.3, step 0.4, subscription
        -0.45, tag 0.6, tagging 0.5, template 0.25, token -0.45, unit 0.25, update -0.3, version 0.2, view 0.45, vote
        -0.35
    """,
    "ref alone": """
        account -0.2, action -0.25, assignment -0.4, category -0.3, change -0.45, check 0.4, comment -0.5,
        configuration 0.4, connection 0.3, credential 0.4, dashboard 0.2, data 0.25, field -0.25, history -0.4,
        integration 0.3, job -0.4, key 0.45, mapping 0.4, member -0.2, message -0.35, notification -0.55, option -0.3,
        override 0.4, payment 0.65, plan 0.2, profile 0.25, record -0.8, report 0.4, repository 0.25, run 0.2,
        schedule -0.2, session 0.35, setting 0.95, stat -0.4, tag -0.35, type -0.45, usage 0.3, vote -0.25
    """,
    "refs": """
        assignment -0.2, comment -0.5, contact 0.3, entry 0.35, field 0.25, history 0.2, invite -0.25, link 0.4, log
        -0.25, member 0.25, membership 0.25, message -0.25, note -0.25, permission 0.55, report 0.4, request -0.55,
        role -0.45, run 0.4, subscription 0.4, template -0.45, version -0.25, vote 0.8
    """,
}


def _parsed(text: str) -> list[tuple[str, float]]:
    pairs = (entry.rsplit(maxsplit=1) for entry in " ".join(text.split()).split(", "))
    return [(word, float(weight.rstrip(","))) for word, weight in pairs]


LEXICON: dict[str, float] = {
    **{f'"{word}" {form}': weight for form, text in _COLUMNS.items() for word, weight in _parsed(text)},
    **{f'in "{word}", {form}': weight for form, text in _TABLES.items() for word, weight in _parsed(text)},
}
