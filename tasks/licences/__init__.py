"""What licences ask and allow: expressions, families, which may go into which, and the policy over a mix of them.

Nothing here is legal advice: it reads what licences say of themselves and what OSADL and Creative Commons say of pairs.
"""
